/** Loaded before a process's own code (`node --import`): its clock is off by SKEW_MS, as on a machine whose clock jumped. */
const skewMs = Number(process.env.SKEW_MS);
const RealDate = Date;

class SkewedDate extends RealDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(RealDate.now() + skewMs);
    else super(...(given as [number]));
  }

  static override now(): number {
    return RealDate.now() + skewMs;
  }
}

globalThis.Date = SkewedDate as DateConstructor;
