/** `npm run generate`: writes every derived page of the documentation. The tidy tests fail when one of them is stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generatedPages } from './docs/generated-pages.ts';
import { repositoryRoot } from './docs/source-tree.ts';
import { databaseDocPath, writeDatabaseDoc } from './generate-database-doc.ts';

for (const page of generatedPages) {
  writeFileSync(join(repositoryRoot, page.path), page.render());
  process.stdout.write(`${page.path}\n`);
}

await writeDatabaseDoc();
process.stdout.write(`${databaseDocPath}\n`);
