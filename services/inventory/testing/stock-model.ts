/** In-memory model of the inventory service for property tests. */

export type ModelState = "HELD" | "COMMITTED" | "CONSUMED" | "RELEASED" | "EXPIRED";

export type Command =
  | { readonly kind: "reserve"; readonly id: string; readonly units: Readonly<Record<string, number>> }
  | { readonly kind: "commit" | "release" | "overdue"; readonly id: string }
  | { readonly kind: "collect"; readonly id: string; readonly units: Readonly<Record<string, number>> }
  | { readonly kind: "adjust"; readonly sku: string; readonly delta: number };

interface ModelReservation {
  state: ModelState;
  readonly units: Map<string, number>;
  overdue: boolean;
}

export class StockModel {
  readonly onHand: Map<string, number>;
  readonly reserved: Map<string, number>;
  readonly reservations = new Map<string, ModelReservation>();

  constructor(stock: Readonly<Record<string, number>>) {
    this.onHand = new Map(Object.entries(stock));
    this.reserved = new Map(Object.keys(stock).map((sku) => [sku, 0]));
  }

  /** Executes the command. Returns `done`, or the error reason. */
  run(command: Command): string {
    switch (command.kind) {
      case "reserve":
        return this.#reserve(command.id, command.units);
      case "commit":
        return this.#commit(command.id);
      case "release":
        return this.#release(command.id);
      case "overdue":
        return this.#overdue(command.id);
      case "collect":
        return this.#collect(command.id, command.units);
      case "adjust":
        return this.#adjust(command.sku, command.delta);
      default:
        return command satisfies never;
    }
  }

  #free(sku: string): number {
    return (this.onHand.get(sku) ?? 0) - (this.reserved.get(sku) ?? 0);
  }

  #hold(units: Iterable<[string, number]>, sign: 1 | -1): void {
    for (const [sku, quantity] of units) {
      this.reserved.set(sku, (this.reserved.get(sku) ?? 0) + sign * quantity);
    }
  }

  #reserve(id: string, units: Readonly<Record<string, number>>): string {
    const known = this.reservations.get(id);
    if (known) {
      this.#expireIfOverdue(known);
      return known.state === "RELEASED" || known.state === "EXPIRED" ? `RESERVATION_${known.state}` : "done";
    }
    const wanted = Object.entries(units);
    if (wanted.some(([sku, quantity]) => quantity > this.#free(sku))) {
      return "OUT_OF_STOCK";
    }
    this.#hold(wanted, 1);
    this.reservations.set(id, { state: "HELD", units: new Map(wanted), overdue: false });
    return "done";
  }

  #expireIfOverdue(it: ModelReservation): void {
    if (it.state === "HELD" && it.overdue) {
      this.#hold(it.units, -1);
      it.state = "EXPIRED";
    }
  }

  #commit(id: string): string {
    const it = this.reservations.get(id);
    if (!it) {
      return "RESOURCE_NOT_FOUND";
    }
    this.#expireIfOverdue(it);
    if (it.state === "RELEASED" || it.state === "EXPIRED") {
      return `RESERVATION_${it.state}`;
    }
    it.state = it.state === "HELD" ? "COMMITTED" : it.state;
    return "done";
  }

  #release(id: string): string {
    const it = this.reservations.get(id);
    if (!it) {
      this.reservations.set(id, { state: "RELEASED", units: new Map(), overdue: false });
    } else if (it.state === "HELD" || it.state === "COMMITTED") {
      this.#hold(it.units, -1);
      it.state = "RELEASED";
    }
    return "done";
  }

  #overdue(id: string): string {
    const it = this.reservations.get(id);
    if (it) {
      it.overdue = it.state === "HELD";
    }
    return "done";
  }

  /** Only collections covered by the stock are generated; see `possible`. */
  #collect(id: string, units: Readonly<Record<string, number>>): string {
    const it = this.reservations.get(id);
    for (const [sku, quantity] of Object.entries(units)) {
      const held = it?.state === "COMMITTED" ? (it.units.get(sku) ?? 0) : 0;
      const fromHeld = Math.min(held, quantity);
      this.onHand.set(sku, (this.onHand.get(sku) ?? 0) - quantity);
      if (it && fromHeld > 0) {
        this.#hold([[sku, fromHeld]], -1);
        it.units.set(sku, held - fromHeld);
      }
    }
    if (it?.state === "COMMITTED" && [...it.units.values()].every((left) => left === 0)) {
      it.state = "CONSUMED";
    }
    return "done";
  }

  /** Returns whether a collection's goods are in the warehouse, reserved for this order or available. */
  possible({ id, units }: Extract<Command, { kind: "collect" }>): boolean {
    const it = this.reservations.get(id);
    return Object.entries(units).every(([sku, quantity]) => {
      const held = it?.state === "COMMITTED" ? (it.units.get(sku) ?? 0) : 0;
      return quantity <= held + this.#free(sku);
    });
  }

  #adjust(sku: string, delta: number): string {
    if (this.#free(sku) + delta < 0) {
      return "STOCK_RESERVED";
    }
    this.onHand.set(sku, (this.onHand.get(sku) ?? 0) + delta);
    return "done";
  }
}
