import { defineConfig } from '@playwright/test'

// Debian's Chromium, without its calls home: they would be refused here and show up as noise.
export default defineConfig({
  testDir: 'tests',
  globalSetup: './tests/support/compile-example.ts',
  timeout: 180_000,
  expect: { timeout: 15_000 },
  fullyParallel: true,
  workers: 2,
  forbidOnly: !!process.env.CI,
  // A second try is reported as flaky, never as passed.
  retries: process.env.CI ? 1 : 0,
  reporter: [['list'], ['./tests/support/closing-line.ts']],
  use: {
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.SLIPWAY_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
})
