/**
 * A list of Service Log entries as its API answers it: searched, ordered, one page of it, as JSON or CSV. Source: consumers.md 2.1.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import { parseSearch } from './search-expression.ts';
import { SEARCH_COLUMNS, type StoredEntry } from './stored-entry.ts';

/** Entries that a list answers with unless asked for more. */
const pageSizeDefault = 100;

export type ListQuery = Readonly<Record<string, string | undefined>>;

interface EntryList {
  readonly kind: 'ClusterLogList';
  readonly page: number;
  /** Number of items in this answer. */
  readonly size: number;
  readonly total: number;
  readonly items: readonly Partial<StoredEntry>[];
}

/** Throws `SEARCH_INVALID` with a text for the client. */
export function listEntries(entries: readonly StoredEntry[], query: ListQuery): EntryList {
  const page = wholeNumber(query['page'], 1);
  const pageSize = wholeNumber(query['size'], pageSizeDefault);
  const search = query['search'] ?? '';
  const found = search === '' ? entries : entries.filter(predicateOf(search));
  const ordered = [...found].sort(orderOf(query['order'] ?? query['orderBy'] ?? ''));
  // A size below zero is how clients ask for everything.
  const items =
    pageSize < 0 ? ordered : ordered.slice((Math.max(page, 1) - 1) * pageSize, Math.max(page, 1) * pageSize);
  const fields = query['fields']?.split(',');
  return {
    kind: 'ClusterLogList',
    page,
    size: items.length,
    total: found.length,
    items: fields === undefined ? items : items.map((entry) => pick(entry, fields)),
  };
}

const csvColumns = ['timestamp', 'severity', 'service_name', 'summary', 'description', 'username', 'id'] as const;

/** As the portal's export: a header line, then one line per entry, every value quoted. */
export function listAsCsv(list: EntryList): string {
  const quoted = (value: unknown) => `"${String(value ?? '').replaceAll('"', '""')}"`;
  const lines = list.items.map((entry) => csvColumns.map((column) => quoted(entry[column])).join(','));
  return [csvColumns.join(','), ...lines, ''].join('\n');
}

function predicateOf(search: string): (entry: StoredEntry) => boolean {
  const predicate = parseSearch(search, SEARCH_COLUMNS);
  return (entry) => predicate({ ...entry });
}

/** `id desc`, `created_at asc, id`; nothing is the order of arrival. */
function orderOf(order: string): (left: StoredEntry, right: StoredEntry) => number {
  const terms = order
    .split(',')
    .map((term) => term.trim())
    .filter((term) => term !== '')
    .map((term) => {
      const [column = '', direction = 'asc'] = term.split(/\s+/);
      if (!SEARCH_COLUMNS.has(column))
        throw new CcxError(`${column} is not a valid column`, { code: 'SEARCH_INVALID', category: 'input' });
      return { column: column as keyof StoredEntry, sign: direction.toLowerCase() === 'desc' ? -1 : 1 };
    });
  return (left, right) => {
    for (const { column, sign } of terms) {
      const [a, b] = [String(left[column]), String(right[column])];
      if (a !== b) return a < b ? -sign : sign;
    }
    return 0;
  };
}

function pick(entry: StoredEntry, fields: readonly string[]): Partial<StoredEntry> {
  return Object.fromEntries(Object.entries(entry).filter(([name]) => fields.includes(name)));
}

function wholeNumber(text: string | undefined, otherwise: number): number {
  if (text === undefined || text === '') return otherwise;
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw new CcxError('page and size must be whole numbers', { code: 'SEARCH_INVALID', category: 'input' });
}
