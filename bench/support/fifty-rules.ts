/** A rule pack of fifty rules, as a company may have them: those of the example packs again and again, each under a key of its own. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packRules = 50;
const examples = fileURLToPath(new URL('../../examples/packs/', import.meta.url));

/** Writes it into a folder, which it answers with. */
export function writeFiftyRules(folder: string): string {
  const texts = ['hygiene', 'maintenance'].flatMap((pack) => {
    const rules = join(examples, pack, 'rules');
    return readdirSync(rules).map((name) => readFileSync(join(rules, name), 'utf8'));
  });
  mkdirSync(join(folder, 'rules'));
  writeFileSync(join(folder, 'pack.yaml'), 'name: fifty\nversion: "1"\nowner: bench\n');
  for (let number = 0; number < packRules; number += 1) {
    const text = texts[number % texts.length]!.replace(/^key: (.*)$/m, `key: $1_${number}`);
    writeFileSync(join(folder, 'rules', `${number}.yaml`), text);
  }
  return folder;
}
