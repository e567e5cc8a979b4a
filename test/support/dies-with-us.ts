/** A command that runs the command it is given, which the kernel kills when this process dies in any way. */
export const diesWithUs: readonly string[] = ["setpriv", "--pdeathsig", "KILL"];
