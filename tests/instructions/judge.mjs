// Holds counted instructions to their budgets: judge.mjs BUDGETS COUNTED RUSTC [--update].
//
// BUDGETS has a line "rustc VERSION" and one "BENCH INSTRUCTIONS" for each bench; COUNTED is what gungraun writes, an
// object of JSON a line. Every bench must have a budget, and every budget a bench.
import { readFileSync, writeFileSync } from 'node:fs';

const MOST = 1.1;

function readBudgets(file) {
    const lines = readFileSync(file, 'utf8').split('\n');
    const comments = lines.filter((line) => line.startsWith('#'));
    const entries = lines.filter((line) => line && !line.startsWith('#')).map((line) => line.split(/\s+/));
    const budgets = new Map(entries.map(([name, value]) => [name, value]));
    const rustc = budgets.get('rustc');
    budgets.delete('rustc');
    return { comments, rustc, budgets };
}

function readCounted(file) {
    const objects = readFileSync(file, 'utf8').split('\n').filter((line) => line).map((line) => JSON.parse(line));
    return new Map(objects.map((bench) => {
        const instructions = bench.profiles[0].data.total.metrics.Ir.values.new;
        return [`${bench.module_path.split('::').slice(1).join('::')}::${bench.id}`, instructions];
    }));
}

function judge(budgets, counted) {
    const wrong = [];
    for (const [name, instructions] of counted) {
        const budget = Number(budgets.get(name));
        if (!budget) {
            wrong.push(`${name} has no budget`);
            continue;
        }
        const change = instructions / budget - 1;
        const percent = `${change < 0 ? '' : '+'}${(100 * change).toFixed(1)} %`;
        console.log(`${name.padEnd(46)} ${String(budget).padStart(9)} ${String(instructions).padStart(9)} ${percent.padStart(9)}`);
        if (instructions > MOST * budget) {
            wrong.push(`${name}: ${instructions} instructions, ${percent} to its budget of ${budget}`);
        }
    }
    for (const name of budgets.keys()) {
        if (!counted.has(name)) wrong.push(`${name} has a budget, but a bench of this name is missing`);
    }
    return wrong;
}

const [budgetsFile, countedFile, rustc, option] = process.argv.slice(2);
const { comments, rustc: madeWith, budgets } = readBudgets(budgetsFile);
const counted = readCounted(countedFile);

if (option === '--update') {
    const lines = [...counted].map(([name, instructions]) => `${name} ${instructions}`);
    writeFileSync(budgetsFile, [...comments, `rustc ${rustc}`, ...lines, ''].join('\n'));
    console.log(`${counted.size} budgets written to ${budgetsFile}`);
    process.exit(0);
}

console.log(`${'instructions'.padEnd(46)} ${'budget'.padStart(9)} ${'counted'.padStart(9)} ${'change'.padStart(9)}`);
const wrong = judge(budgets, counted);
if (wrong.length) {
    console.error(`\n${wrong.join('\n')}`);
    console.error('Where that is meant, tests/instructions/run.sh --update writes new budgets.');
    if (rustc !== madeWith) {
        console.error(`The budgets were made with rustc ${madeWith}, this is ${rustc}: count with that one to tell whether it is the compiler.`);
    }
    process.exit(1);
}
