/**
 * The figures of each benchmark that were kept last: a file for each below `bench/last-figures`, with the day, the machine and the command.
 * Written by `npm run bench -- --save`; every other run is compared with them, and docs/figures.md is made of them.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Comparison, Figure, Findings, Measured, Spread } from './benchmark.ts';
import type { Machine } from './machine.ts';
import { quantity } from './print-results.ts';

const folder = join(import.meta.dirname, '../last-figures');
/** A figure without rounds has no spread; it varies by this much from run to run. */
const noise = 0.2;
/** More than anybody reads, and few enough for a file that people look at. */
const digitsKept = 4;

export interface KeptFigures {
  readonly name: string;
  readonly description: string;
  /** `2026-11-26` */
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly findings: Findings;
}

/** Undefined where none were kept yet. */
export function readFigures(name: string): KeptFigures | undefined {
  const path = join(folder, `${name}.json`);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as KeptFigures) : undefined;
}

/** By name. */
export function readAllFigures(): KeptFigures[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => readFigures(name.slice(0, -'.json'.length))!);
}

export interface FiguresToKeep {
  readonly date: Date;
  readonly command: string;
  readonly machine: Machine;
  readonly result: Findings & { readonly description: string };
}

export function writeFigures(name: string, { date, command, machine, result }: FiguresToKeep): void {
  const { description, comparisons, figures, leftOut = [] } = result;
  const kept: KeptFigures = {
    ...{ name, description, date: date.toISOString().slice(0, 10), command, machine },
    findings: { comparisons, figures, ...(leftOut.length === 0 ? {} : { leftOut }) },
  };
  mkdirSync(folder, { recursive: true });
  const round = (_: string, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(digitsKept)) : value;
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(kept, round, 2)}\n`);
}

/** One line for each row that was there before: how many times what it was, marked where that is more than the rounds differ. */
export function changesText({ date, findings: before }: KeptFigures, now: Findings): string {
  const kept = new Map(valuesOf(before).map((value) => [value.name, value]));
  const lines = valuesOf(now).flatMap((value) => {
    const old = kept.get(value.name);
    return old === undefined || old.spread.median === 0 ? [] : [changeLine(old, value)];
  });
  return [`\n  against the figures of ${date} (* more than their rounds differ)`, ...lines].join('\n');
}

interface ComparedValue {
  readonly name: string;
  readonly spread: Spread;
}

function changeLine({ spread: old }: ComparedValue, { name, spread }: ComparedValue): string {
  const outside = (value: number, { min, max }: Spread) => value < min || value > max;
  const mark = outside(spread.median, old) && outside(old.median, spread) ? ' *' : '';
  const change = `${quantity(old.median)} → ${quantity(spread.median)}`;
  return `    ${name}: ${change}, × ${quantity(spread.median / old.median)}${mark}`;
}

function valuesOf({ comparisons, figures }: Findings): ComparedValue[] {
  return [...comparisons.flatMap(valuesOfComparison), ...figures.map(valueOfFigure)];
}

function valuesOfComparison({ title, subject, baselines }: Comparison): ComparedValue[] {
  const ratios = baselines.map(({ name, ratio }) => ({ name: `${title}, ratio to ${name}`, spread: ratio }));
  return [...ratios, ...[subject, ...baselines].flatMap((measured) => valuesOfCosts(title, measured))];
}

function valuesOfCosts(title: string, { name, costs }: Measured): ComparedValue[] {
  if (costs === undefined) return [];
  return [
    ...Object.entries(costs.cpuUs).map(([whose, spread]) => ({ name: `${title}, ${name}: CPU µs, ${whose}`, spread })),
    ...Object.entries(costs.peakMebibytes).map(([whose, spread]) => {
      return { name: `${title}, ${name}: peak MiB, ${whose}`, spread };
    }),
  ];
}

function valueOfFigure({ name, value }: Figure): ComparedValue {
  return { name, spread: { median: value, min: value * (1 - noise), max: value * (1 + noise) } };
}
