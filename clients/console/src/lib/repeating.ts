/** Something that is asked again and again while somebody looks. */

export interface Repeating {
  /** Asks from now on. Does nothing while it asks already. */
  start(): void;
  stop(): void;
}

/** `ask` returns whether to go on. */
export function repeating(everyMs: number, ask: () => Promise<boolean>): Repeating {
  let isOn = false;
  /** A loop that waits when it is stopped ends, also if another one has begun meanwhile. */
  let latest = 0;

  async function run(own: number): Promise<void> {
    while (isOn && own === latest) {
      if (!(await ask())) {
        if (own === latest) isOn = false;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  return {
    start() {
      if (isOn) return;
      isOn = true;
      void run(++latest);
    },
    stop() {
      isOn = false;
    },
  };
}
