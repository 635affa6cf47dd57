// Chromium, driven by the playwright-core that the console's lock file names.
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const { chromium } = createRequire(join(root, 'api/console/package.json'))('playwright-core');

/** The built console, for http.console_dir. */
export const consoleDir = join(root, 'api/console/dist');
export const seedsDir = join(root, 'seeds');

export const launch = () =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });

/** A page of its own, and what went wrong in it: errors, refused content, requests to anybody else. */
export async function openPage(browser, url, { viewport, locale }, prepare = async () => {}) {
  const context = await browser.newContext({ viewport, locale, timezoneId: 'Europe/London' });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('console', (message) => {
    // Being asked to sign in is how a visit begins.
    const refused = message.type() === 'error' && !/status of 401/.test(message.text());
    if (refused) wrong.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const to = request.url();
    if (!to.startsWith(url) && !to.startsWith(`blob:${url}`) && !to.startsWith('data:')) wrong.push(`request: ${to}`);
  });
  await prepare(page);
  await page.goto(`${url}/`);
  return { page, wrong };
}

export async function signIn(page, username, password) {
  await page.fill('input[name=username]', username);
  await page.fill('input[name=password]', password);
  await page.click('button[type=submit]');
}

/** Frames that each tile puts on the screen in `ms`, by camera id. */
export const countFrames = (page, ms) =>
  page.evaluate(async (span) => {
    const counts = {};
    const end = performance.now() + span;
    for (const video of document.querySelectorAll('video[data-camera]')) {
      const camera = video.dataset.camera;
      counts[camera] = 0;
      const count = () => {
        counts[camera] += 1;
        if (performance.now() < end) video.requestVideoFrameCallback(count);
      };
      video.requestVideoFrameCallback(count);
    }
    await new Promise((done) => setTimeout(done, span));
    return counts;
  }, ms);

/** As if another tab were in front, or this one again. */
export const setHidden = (page, hidden) =>
  page.evaluate((yes) => {
    Object.defineProperty(document, 'visibilityState', { value: yes ? 'hidden' : 'visible', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
