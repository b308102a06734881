// Has Mermaid's own parser read diagrams: node parse.mjs FILE...
//
// Says what is wrong and ends with 1 if one of them is refused, or is not what its writer meant: a
// line `%% messages: N` says how many messages there must be. No browser is needed for that.

import { readFileSync } from 'node:fs';
import mermaid from 'mermaid';

const files = process.argv.slice(2);
let faults = 0;
for (const file of files) {
  try {
    const text = readFileSync(file, 'utf8');
    await mermaid.parse(text);
    const diagram = await mermaid.mermaidAPI.getDiagramFromText(text);
    const { lines, count } = messages(diagram.db);
    const meant = /^ *%% messages: (\d+)$/m.exec(text);
    if (meant && Number(meant[1]) !== count) {
      throw new Error(`${meant[1]} messages were meant, ${count} read (of ${lines} lines)`);
    }
  } catch (error) {
    faults += 1;
    console.error(`${file}: ${error.message}`);
  }
}
console.log(`${files.length} diagrams, ${faults} refused by mermaid`);
process.exit(faults > 0 || files.length === 0 ? 1 : 0);

// What has a sender and a receiver is a message, notes excepted.
function messages(db) {
  const all = db.getMessages();
  const notes = db.LINETYPE.NOTE;
  const sent = all.filter((one) => one.from && one.to && one.type !== notes);
  return { lines: all.length, count: sent.length };
}
