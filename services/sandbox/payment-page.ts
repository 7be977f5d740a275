import { createHash } from "node:crypto";
import { exponentOf } from "../runtime/values/money.ts";
import type { SandboxPayment } from "./domain/payment.ts";

const style = `
      body { font: 1rem/1.5 system-ui, sans-serif; max-width: 28rem; margin: 4rem auto; padding: 0 1rem; }
      strong { font-size: 2rem; }
      button { font: inherit; padding: 0.5rem 1.5rem; margin-right: 0.5rem; }
    `;

const script = `
      for (const button of document.querySelectorAll("button")) {
        button.addEventListener("click", async () => {
          const response = await fetch(location.pathname + ":complete", {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ decline: button.dataset.decline === "true" }),
          });
          document.getElementById("actions").textContent = response.ok ? "Done. You can close this page." : "That did not work.";
        });
      }
    `;

/** Returns the CSP source that allows an inline text by its hash. */
function hashed(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/**
 * Headers of the page. Its URL contains the payment's secret, and it shows the payment's contents: neither may be
 * stored or passed on.
 */
export const sandboxPageHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": [
    "default-src 'none'",
    `script-src ${hashed(script)}`,
    `style-src ${hashed(style)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Renders the page on which a shopper of the sandbox pays or declines. It loads nothing from elsewhere. */
export function sandboxPage(payment: SandboxPayment, isOpen: boolean): string {
  const buttons = `<button type="button" data-decline="false">Pay</button>
      <button type="button" data-decline="true">Decline</button>`;
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Sandbox payment</title>
    <style>${style}</style>
  </head>
  <body>
    <main>
      <h1>Sandbox payment</h1>
      <p>No money moves here. This page stands for a payment provider's.</p>
      <p><strong>${escapeHtml(amountOf(payment))}</strong><br>for ${escapeHtml(payment.payment)}</p>
      <p id="actions">${isOpen ? buttons : "This payment is no longer open."}</p>
    </main>
    <script>${script}</script>
  </body>
</html>
`;
}

function amountOf({ amount, currency }: SandboxPayment): string {
  const digits = exponentOf(currency) ?? 0;
  const text = amount.toString().padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  return digits === 0 ? `${whole} ${currency}` : `${whole}.${text.slice(-digits)} ${currency}`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
