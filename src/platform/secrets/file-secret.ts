/**
 * A secret in a file that somebody keeps up to date (Kubernetes, Vault Agent, External Secrets). Apart from the secret source, so that a role
 * whose password lies in a file loads nothing of Vault.
 */
import { readFile } from 'node:fs/promises';
import { CcxError } from '../../encoding/ccx-error.ts';
import { type Secret, secretBytesMax } from './secret-source.ts';

/**
 * Read each time, so that a rotation needs no restart.
 * Code `SECRET_FILE` when the file gave no value yet. Once it did, a moment without it (files are swapped) changes nothing.
 */
export function createFileSecret(setting: string, path: string): Secret {
  let lastGood: string | undefined;
  const value = async () => {
    try {
      lastGood = await readSecretFile(path);
    } catch (cause) {
      if (lastGood === undefined) {
        throw new CcxError(`${setting}_FILE names a file that holds no secret: ${path}`, {
          code: 'SECRET_FILE',
          category: 'configuration',
          cause,
          hint: `check the file that ${setting}_FILE names: it must be readable and not empty`,
        });
      }
    }
    return lastGood;
  };
  return { setting, value, reload: value };
}

/** One trailing line end belongs to the editor, not to the secret; the same rule as `loadConfig`. */
export async function readSecretFile(path: string): Promise<string> {
  const text = (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  if (text === '') throw new Error('the file is empty');
  if (Buffer.byteLength(text) > secretBytesMax) throw new Error(`the file is larger than ${secretBytesMax} bytes`);
  return text;
}
