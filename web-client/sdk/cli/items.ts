import { type Command, InvalidArgumentError } from "commander";
import { type Item, ItemSchema } from "../../../gen/docket/inventory/v1/inventory_pb.js";
import { money } from "../money.ts";
import { contextOf, parseCount, type Surroundings } from "./context.ts";
import { moneyText } from "./order-text.ts";
import type { Columns } from "./output.ts";

const columns: Columns<Item> = {
  SKU: (item) => item.sku,
  TITLE: (item) => item.title,
  PRICES: (item) => item.prices.map(moneyText).join(", "),
  "ON HAND": (item) => String(item.stockOnHand),
  RESERVED: (item) => String(item.stockReserved),
  AVAILABLE: (item) => String(item.stockAvailable),
};

const itemText = (item: Item) =>
  Object.entries(columns)
    .map(([heading, cell]) => `${heading.toLowerCase().padEnd(10)} ${cell(item)}`)
    .join("\n");

/** `docket items …` */
export function addItemCommands(program: Command, surroundings: Surroundings): void {
  const items = program.command("items").description("list, show, create items and adjust their stock");

  items
    .command("list")
    .description("list items by SKU")
    .option("-f, --filter <filter>", "which items, for example: stock_available < 10")
    .option("--page-size <count>", "how many to fetch at once", parseCount, 500)
    .action(async ({ filter = "", pageSize }: { filter?: string; pageSize: number }, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      await output.rows(ItemSchema, docket.listItems({ filter, pageSize }), columns);
    });

  items
    .command("get")
    .description("show an item")
    .argument("<sku>")
    .action(async (sku: string, _options: unknown, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const item = await docket.items.getItem({ name: `items/${sku}` });
      output.one(ItemSchema, item, itemText(item));
    });

  items
    .command("create")
    .description("create an item")
    .argument("<sku>")
    .requiredOption("-t, --title <title>", "what it is called on an order")
    .requiredOption("-p, --price <price...>", "one per currency, for example USD=12.50", collectPrice)
    .option("-s, --stock <units>", "units on hand (default: 0)", parseUnits)
    .action(
      async (sku: string, options: { title: string; price: Item["prices"]; stock?: bigint }, command: Command) => {
        const { docket, output } = contextOf(command, surroundings);
        const { title, price, stock = 0n } = options;
        const item = await docket.items.createItem({ item: { sku, title, prices: price, stockOnHand: stock } });
        output.one(ItemSchema, item, itemText(item));
      },
    );

  items
    .command("adjust")
    .description("add to an item's stock, or take from it: docket items adjust TEA -5")
    .argument("<sku>")
    .argument("<delta>", "units to add, negative to take away", parseUnits)
    .option("-r, --reason <reason>", "why, for the ledger")
    .allowUnknownOption()
    .action(async (sku: string, delta: bigint, { reason = "" }: { reason?: string }, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const item = await docket.items.adjustStock({ name: `items/${sku}`, delta, reason });
      output.one(ItemSchema, item, itemText(item));
    });
}

function collectPrice(text: string, before: Item["prices"] | undefined): Item["prices"] {
  const [, currency, amount] = /^([A-Z]{3})=(.+)$/.exec(text) ?? [];
  if (currency === undefined || amount === undefined) {
    throw new InvalidArgumentError("write a price like USD=12.50.");
  }
  try {
    return [...(before ?? []), money(currency, amount)];
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function parseUnits(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) {
    throw new InvalidArgumentError("give a whole number.");
  }
  return BigInt(text);
}
