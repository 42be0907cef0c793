/** Choices of the user that outlive the page. A browser may refuse to store anything. */

export function stored(store: "local" | "session", name: string): string | null {
  try {
    return (store === "local" ? localStorage : sessionStorage).getItem(name);
  } catch {
    return null;
  }
}

/** Null removes it. */
export function keep(store: "local" | "session", name: string, value: string | null): void {
  try {
    const storage = store === "local" ? localStorage : sessionStorage;
    if (value === null) storage.removeItem(name);
    else storage.setItem(name, value);
  } catch {
    // It counts until the page is left.
  }
}
