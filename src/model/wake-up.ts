/** Channel of the NOTIFY that wakes a sleeping drain; its payload is empty. */
export const wakeUpChannel = 'tocsin';

/**
 * Advisory lock that says "a drain sleeps": a drain holds it exclusively while, and only while, it waits for NOTIFY. A
 * capture trigger tries to take it shared until the end of its transaction, and notifies only if that fails. A writer that
 * skipped NOTIFY holds it until its commit is visible, and a drain must get it before it sleeps and then claims once more:
 * no wake-up is lost, and a busy system sends none (NOTIFY serialises commits).
 */
export const idleLockKey = 7461637370;
