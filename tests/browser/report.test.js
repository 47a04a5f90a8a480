// report.html in a real browser: Debian's Chromium, from disk, with everything that leaves the page refused and counted.
//
//   npm ci && node --test        the program must be built: BLACKSTART says where, default ../../target/quick/blackstart
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const ROOT = resolve(import.meta.dirname, "../..");
const PROGRAM = process.env.BLACKSTART ?? join(ROOT, "target/quick/blackstart");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const WICKED = `</script><img src=x onerror="document.title='broken'"><svg onload="document.title='broken'">`;

const folder = mkdtempSync(join(tmpdir(), "blackstart-report-"));
let browser;

/** Runs the program. It may end with 1: few seeds decide few claims. */
function run(file, ...more) {
  const { status, stderr } = spawnSync(PROGRAM, ["run", file, "--out", join(folder, "out"), ...more], { cwd: ROOT, encoding: "utf8" });
  assert.ok(status === 0 || status === 1, `${file}: ${status}: ${stderr}`);
}

const address = (name) => pathToFileURL(join(folder, "out", name, "report.html")).href;

/** A page with the report of an experiment, and what went wrong on it so far. */
async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => wrong.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("request", (request) => { if (request.url() !== address(name)) wrong.push(`request: ${request.url()}`); });
  await page.goto(address(name));
  return { page, wrong, done: async () => { await context.close(); assert.deepEqual(wrong, []); } };
}

const numbers = (text) => [...text.matchAll(/[\d.,]+/g)].map((it) => Number(it[0].replaceAll(",", "")));

before(async () => {
  run("experiments/retry-storm.yaml", "--seeds", "3");
  run("experiments/waiting-by-load.yaml", "--set", "length=100s", "--set", "warmup=10s", "--set", "expect=[]");
  run("experiments/any-setting.yaml");
  mkdirSync(join(folder, "wicked"));
  const model = `services: { s: { operations: { get: [ work: 1ms ] } } }
clients: { c: { calls: s.get, arrivals: { constant: 100/s } } }
network: { default: { latency: { constant: 1ms } } }\n`;
  const text = JSON.stringify(WICKED);
  writeFileSync(join(folder, "wicked/m.yaml"), `${model}# ${WICKED}\n`);
  writeFileSync(join(folder, "wicked/wicked.yaml"), `model: m
lesson: ${text}
length: 10s
seeds: 2
variants: { ${text}: {}, plain: { network.default.latency.constant: 2ms } }
faults: [ { name: ${text}, at: 3s, for: 2s, slow: { service: s, factor: 5 } } ]
charts: [ { timeline: { metric: goodput, by: variant } }, { bars: { metric: goodput, by: variant } } ]
expect: [ { claim: ${text}, metric: goodput, at_least: 1/s } ]\n`);
  run(join(folder, "wicked/wicked.yaml"));
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("the page", () => {
  for (const name of ["retry-storm", "waiting-by-load", "any-setting", "wicked"])
    test(`of ${name} is quiet, asks nobody, and has the sections in their order`, async () => {
      const { page, done } = await open(name);
      const headings = await page.locator("main h2").allTextContents();
      const wanted = ["The system", "Verdict", "Charts", "Claims", "Figures", "How sure is this?", "Run it again"];
      assert.deepEqual(headings, wanted.filter((it) => headings.includes(it)));
      for (const it of ["The system", "Verdict", "Figures", "How sure is this?", "Run it again"]) assert.ok(headings.includes(it), it);
      const text = readFileSync(join(folder, "out", name, "report.html"), "utf8");
      assert.ok(!/https?:\/\/(?!www\.w3\.org\/2000\/svg)/.test(text.replaceAll(/<pre[\s\S]*?<\/pre>/g, "")), "no address but that of SVG");
      assert.ok(!text.includes(folder) && !text.includes(ROOT), "no path");
      assert.ok(!/\b20\d\d-\d\d-\d\d\b/.test(text), "no date");
      await done();
    });

  test("forbids what it does not need", async () => {
    const { page } = await open("retry-storm");
    const policy = await page.locator("meta[http-equiv]").getAttribute("content");
    assert.match(policy, /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'$/);
    const refused = await page.evaluate(async () => {
      const script = document.createElement("script");
      script.textContent = "document.title = 'broken'";
      document.body.append(script);
      const image = new Image();
      const failed = new Promise((done) => { image.onerror = () => done(true); image.onload = () => done(false); });
      image.src = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=";
      return [document.title, await failed, await fetch("data:,x").then(() => false, () => true)];
    });
    assert.deepEqual(refused, ["retry-storm: a report of blackstart", true, true]);
    await page.context().close();
  });

  test("shows texts of files as texts", async () => {
    const { page, done } = await open("wicked");
    assert.equal(await page.title(), "wicked: a report of blackstart");
    assert.equal(await page.locator("img, i, b, [onerror], [onload]").count(), 0);
    assert.equal(await page.locator(".lesson").textContent(), WICKED);
    assert.ok((await page.locator(".claims tbody th").first().textContent()).includes("</script><img"));
    assert.ok((await page.locator("#chart-1 .legend button").first().textContent()).includes("</script><img"));
    await page.locator("#chart-1 .plot").hover({ position: { x: 400, y: 150 } });
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.title(), "wicked: a report of blackstart");
    await done();
  });

  test("has the verdict, claims, figures and pictures without scripts", async () => {
    const { page, done } = await open("retry-storm", { javaScriptEnabled: false });
    await assertVisible(page, [".card", ".claims", "#figures table", ".picture svg", "#inputs pre"]);
    assert.equal(await page.locator(".picture svg:visible").count(), 9); // the system and eight charts
    assert.equal(await page.locator("button:visible, .plot").count(), 0);
    await done();
  });

  test("stays small", () => {
    for (const name of ["retry-storm", "waiting-by-load", "any-setting"]) {
      const { size } = statSync(join(folder, "out", name, "report.html"));
      assert.ok(size < 500_000, `${name}: ${size} bytes`);
    }
  });
});

async function assertVisible(page, selectors) {
  for (const selector of selectors) assert.ok(await page.locator(selector).first().isVisible(), `${selector} can be seen`);
}

describe("a chart", () => {
  /** The value that a tip shows for a series. */
  const told = (page, chart, name) =>
    page.locator(`${chart} .tip .row`).filter({ has: page.getByText(name, { exact: true }) }).locator(".value").textContent();

  test("shows values under the pointer, those of the data", async () => {
    const { page, done } = await open("retry-storm");
    const plot = page.locator("#chart-1 .plot");
    await plot.scrollIntoViewIfNeeded();
    const data = JSON.parse(await page.locator("#chart-1-data").textContent());
    const series = data.series[0];
    // Where the axis says 60 seconds.
    const tick = await page.locator("#chart-1 .plot text", { hasText: /^60$/ }).boundingBox();
    const box = await plot.boundingBox();
    await plot.hover({ position: { x: tick.x + tick.width / 2 - box.x + 2, y: 120 } });
    const at = series.x.indexOf(60.5);
    assert.match(await page.locator("#chart-1 .tip strong").textContent(), /^time 60\.5 s$/);
    const value = numbers(await told(page, "#chart-1", series.name))[0];
    assert.ok(Math.abs(value - series.y[at]) <= 0.001 * Math.abs(series.y[at]), `${value} is ${series.y[at]}`);
    // In the fault.
    const early = await page.locator("#chart-1 .plot text", { hasText: /^20$/ }).boundingBox();
    await plot.hover({ position: { x: early.x + early.width / 2 - box.x + 20, y: 120 } });
    assert.match(await page.locator("#chart-1 .tip strong").textContent(), /during slow b$/);
    await page.mouse.move(5, 5);
    assert.ok(await page.locator("#chart-1 .tip").isHidden());
    await done();
  });

  test("hides and shows series", async () => {
    const { page, done } = await open("retry-storm");
    const button = page.locator("#chart-1 .legend button").first();
    const line = page.locator("#chart-1 path[data-series='every layer retries']");
    assert.equal(await line.count(), 1);
    await button.click();
    assert.equal(await button.getAttribute("aria-pressed"), "false");
    assert.equal(await line.count(), 0);
    await page.locator("#chart-1 .plot").hover({ position: { x: 500, y: 120 } });
    assert.equal(await page.locator("#chart-1 .tip .row").count(), 4);
    await button.press("Enter");
    assert.equal(await line.count(), 1);
    await done();
  });

  test("is zoomed by dragging, and shows everything again", async () => {
    const { page, done } = await open("retry-storm");
    const plot = page.locator("#chart-1 .plot"), reset = page.locator("#chart-1 .reset");
    await plot.scrollIntoViewIfNeeded();
    const ticks = () => page.locator("#chart-1 .front text").allTextContents();
    const before = await ticks();
    assert.ok(before.includes("120") && await reset.isDisabled());
    const box = await plot.boundingBox();
    await page.mouse.move(box.x + 250, box.y + 150);
    await page.mouse.down();
    await page.mouse.move(box.x + 350, box.y + 150, { steps: 4 });
    await page.mouse.up();
    assert.ok(!(await ticks()).includes("120"));
    await reset.click();
    assert.deepEqual(await ticks(), before);
    await plot.press("+");
    assert.ok(!(await ticks()).includes("120"));
    await plot.press("Escape");
    assert.deepEqual(await ticks(), before);
    await done();
  });

  test("is read with the keyboard, and says so aloud", async () => {
    const { page, done } = await open("retry-storm");
    const plot = page.locator("#chart-1 .plot"), live = page.locator("#chart-1 [aria-live]");
    await plot.focus();
    await plot.press("ArrowRight");
    assert.match(await live.textContent(), /^time 500 ms: every layer retries [\d.,]+\/s/);
    await plot.press("Shift+ArrowRight");
    assert.match(await live.textContent(), /^time 10\.5 s: /);
    await plot.press("ArrowDown");
    await plot.press("ArrowDown");
    assert.match(await live.textContent(), /^time 10\.5 s: only the edge retries [^;]*$/);
    await plot.press("End");
    assert.match(await live.textContent(), /^time 119\.5 s: /);
    await plot.press("Escape");
    assert.equal(await live.textContent(), "");
    // Bars and strips too.
    for (const [chart, said] of [["#chart-5", /^every layer retries: client\/users [\d.]+%/], ["#chart-4", /^time 0 s: a->b\.get closed$/]]) {
      await page.locator(`${chart} .plot`).press("ArrowRight");
      assert.match(await page.locator(`${chart} [aria-live]`).textContent(), said);
    }
    await done();
  });

  test("is a table as well", async () => {
    const { page, done } = await open("retry-storm");
    const data = JSON.parse(await page.locator("#chart-1-data").textContent());
    for (const number of [1, 2, 3, 4, 5, 6]) {
      await page.locator(`#chart-${number} .as-table`).click();
      assert.ok(await page.locator(`#chart-${number} .figure-table caption`).isVisible());
    }
    assert.equal(await page.locator("#chart-1 .figure-table tbody tr").count(), data.series[0].x.length);
    await done();
  });
});

describe("the figures to explore", () => {
  test("follow what is chosen, and agree with the tables", async () => {
    const { page, done } = await open("waiting-by-load");
    await page.getByLabel("Metric").selectOption("latency.mean");
    await page.getByLabel("Of", { exact: true }).selectOption("client/users");
    const rows = page.locator("#explorer tbody tr");
    assert.equal(await rows.count(), 9);
    const csv = readFileSync(join(folder, "out/waiting-by-load/aggregate.csv"), "utf8").split("\n").map((line) => line.split(","));
    const row = csv.find((it) => it[0] === "4" && it[2] === "all" && it[3] === "client/users" && it[4] === "latency.mean");
    const shown = numbers(await rows.nth(4).locator("td").last().textContent());
    assert.ok(Math.abs(shown[0] / 1000 - Number(row[6])) < 1e-4, `${shown} ms is ${row[6]} s`);
    assert.ok(Math.abs(shown[1] / 1000 - (Number(row[9]) - Number(row[8])) / 2) < 1e-4);
    assert.equal(await page.locator("#explorer circle[data-series]").count(), 9);
    await done();
  });

  test("of a sample are points", async () => {
    const { page, done } = await open("any-setting");
    assert.equal(await page.locator("#explorer circle[data-series]").count(), 64);
    await page.getByLabel("Along").selectOption({ label: "capacity" });
    assert.equal(await page.locator("#explorer circle[data-series]").count(), 64);
    assert.ok((await page.locator("#explorer .front text").allTextContents()).includes("capacity"));
    await done();
  });
});

describe("everybody", () => {
  test("can copy the command and the inputs", async () => {
    const { page, done } = await open("retry-storm");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
    const section = page.locator("#inputs");
    await section.getByRole("button", { name: "Copy the command" }).click();
    await section.getByRole("button", { name: "Copied" }).waitFor();
    assert.equal(await clipboard(), "blackstart run retry-storm.yaml --seeds 3");
    await section.locator("summary").first().click();
    const copy = section.locator("button.copy").nth(1);
    assert.equal(await copy.textContent(), "Copy retry-storm.yaml");
    await copy.click();
    await page.waitForFunction((it) => it.textContent === "Copied", await copy.elementHandle());
    assert.equal(await clipboard(), readFileSync(join(ROOT, "experiments/retry-storm.yaml"), "utf8"));
    await done();
  });

  for (const scheme of ["light", "dark"])
    for (const name of ["retry-storm", "any-setting"])
      test(`can read ${name}, ${scheme}: names, landmarks, headings, contrast`, async () => {
        const { page, done } = await open(name, { colorScheme: scheme });
        await page.evaluate(() => { for (const it of document.querySelectorAll("details")) it.open = true; });
        if (name === "retry-storm") await page.locator("#chart-1 .as-table").click();
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => globalThis.axe.run(document));
        const told = violations.map((it) => `${it.impact}: ${it.help}: ${it.nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(" | ")}`);
        assert.deepEqual(told, []);
        const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        assert.equal(paper, scheme === "dark" ? "rgb(21, 24, 28)" : "rgb(255, 255, 255)");
        const [text, curves] = await page.evaluate(contrasts);
        assert.ok(Number.isFinite(text) && Number.isFinite(curves), "there are words and curves");
        assert.ok(text >= 4.5, `words in charts have a contrast of ${text}`);
        assert.ok(curves >= 3, `curves have a contrast of ${curves}`);
        await done();
      });

  test("reaches everything with Tab, and sees where that is", async () => {
    const { page, done } = await open("waiting-by-load");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the verdict");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const missed = await page.evaluate(() => [...document.querySelectorAll("a, button, select, summary, .plot")]
      .filter((it) => it.checkVisibility() && !it.disabled && it.tabIndex < 0).length);
    assert.equal(missed, 0);
    await page.keyboard.press("Tab");
    const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(ring, "solid");
    await done();
  });

  for (const name of ["retry-storm", "waiting-by-load", "any-setting", "wicked"])
    test(`can read ${name} on a telephone: nothing is wider than it`, async () => {
      const { page, done } = await open(name, { viewport: { width: 360, height: 740 } });
      await page.evaluate(() => { for (const it of document.querySelectorAll("details")) it.open = true; });
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 360);
      await done();
    });

  test("can print it: all sections, everything open, no controls", async () => {
    const { page, done } = await open("retry-storm", { colorScheme: "dark" });
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    for (const section of await page.locator("main > section").all()) assert.ok(await section.isVisible());
    assert.equal(await page.locator(".picture svg:visible").count(), 9);
    assert.equal(await page.locator("#inputs pre:visible").count(), 3);
    assert.equal(await page.locator("button:visible, select:visible, .plot:visible, nav:visible").count(), 0);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).color), "rgb(0, 0, 0)");
    const pdf = await page.pdf({ format: "A4" });
    const pages = pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0;
    assert.ok(pages >= 4, `${pages} pages`);
    await done();
  });
});

/** The lowest contrast of words, and of curves, with the paper. */
function contrasts() {
  const channels = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map((it) => it / 255);
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const ratio = (colour) => (Math.max(light(colour), paper) + 0.05) / (Math.min(light(colour), paper) + 0.05);
  const lowest = (selector, property) =>
    Math.min(...[...document.querySelectorAll(selector)].map((it) => ratio(getComputedStyle(it)[property])));
  return [lowest(".plot text", "fill"), Math.min(lowest(".plot .curve", "stroke"), lowest(".plot circle", "fill"))];
}
