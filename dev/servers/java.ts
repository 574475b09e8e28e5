// What Kafka and Keycloak have in common: a JDK of 17 or newer, and Maven that fetches them.

import { MissingProgram, requirePrograms, runText } from './program.ts';

export const java = {
  name: 'java',
  debianPackage: 'default-jdk-headless',
  macos: 'brew install --cask temurin',
};
export const maven = { name: 'mvn', debianPackage: 'maven', macos: 'brew install maven' };

/** The path of `java`. Throws MissingProgram when there is none, or an older one. */
export async function requireJava17(purpose: string): Promise<string> {
  const [command = java.name] = await requirePrograms(purpose, [java]);
  // Java 8 does not know the option, and macOS has a `java` that only says where to get one.
  const said = await runText(command, ['--version']).catch(() => '');
  const version = Number.parseInt(/^\S+ (\d+)/.exec(said)?.[1] ?? '0', 10);
  if (version >= 17) return command;
  const found = version ? `${command} is Java ${version}` : `${command} does not work`;
  throw new MissingProgram(
    `${purpose} needs Java 17 or newer, and ${found}. Debian 12: sudo apt-get install ${java.debianPackage}; macOS: ${java.macos}`,
  );
}
