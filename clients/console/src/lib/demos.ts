/** Texts to try, as an LLM might write them. */
export const DEMOS: Record<string, readonly { name: string; text: string }[]> = {
  en: [
    {
      name: "A short answer",
      text: "There are two trains that fit your plans. The first leaves at eight and gets there before lunch. The second is a little cheaper, but you would have to change twice.",
    },
    {
      name: "Numbers and dates",
      text: "Your order no. 4711 was sent on 3 March 2026. It weighs 2.5 kg, costs $19.99 and should arrive between 9:30 and 11 am. If you have questions, call 555-0123.",
    },
    {
      name: "A long answer",
      text: "Let us start with the simple things. Turn the router off and count to ten. Then turn it on again and wait until the light stays green. If it does not, press the small button at the back for five seconds. Some people forget the cable, so please look whether it sits tight. After that, open the settings on your phone, choose the network with your name, and type the password from the sticker. Tell me when you get there, and we will look at the rest together.",
    },
  ],
  zh: [
    { name: "简短的回答", text: "有两班车适合您的计划。第一班八点出发，午饭前就能到。第二班便宜一点，不过要换乘两次。" },
    { name: "数字和日期", text: "您的订单4711号已于2026年3月3日发出，重2.5公斤，价格19.99元，预计上午9:30到11:00之间送达。如有问题，请拨打12345。" },
    {
      name: "较长的回答",
      text: "我们先从简单的地方开始。请关掉路由器，数到十，然后重新打开，等到指示灯一直是绿色。如果没有变绿，请按住背面的小按钮五秒钟。有时候是网线松了，所以请看一下它是否插紧。之后打开手机的设置，选择您的网络，输入贴纸上的密码。完成以后请告诉我，我们再一起看剩下的问题。",
    },
  ],
};
