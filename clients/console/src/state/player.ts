/** What is heard. A player has one sample rate, so there is one for each that was asked for. */

import { Player } from "rtclient";
import workletUrl from "rtclient/worklet?worker&url";

const players = new Map<number, Promise<Player>>();

/** The player for sound of this rate. Call it in the handler of a click or a key. */
export async function playerFor(sampleRate: number): Promise<Player> {
  let player = players.get(sampleRate);
  if (player === undefined) {
    player = Player.open({ workletUrl, sampleRate });
    players.set(sampleRate, player);
    player.catch(() => players.delete(sampleRate));
  }
  const opened = await player;
  await opened.resume();
  return opened;
}

/** A player of its own on a shared context, whose loudness can be changed. */
export async function laneOn(context: AudioContext): Promise<{ player: Player; gain: GainNode }> {
  const player = await Player.open({ workletUrl, sampleRate: context.sampleRate, context });
  const gain = new GainNode(context);
  player.node.disconnect();
  player.node.connect(gain).connect(context.destination);
  return { player, gain };
}

/** Silences all that plays, within a few milliseconds. */
export async function stopAll(): Promise<void> {
  await Promise.all([...players.values()].map(async (player) => (await player).stop()));
}
