import { defineConfig } from '@playwright/test'
import tests from './playwright.config.ts'

/** `npm run screenshots`: every page at every width in both colour schemes, to look at. */
export default defineConfig({
  ...tests,
  testDir: 'looks',
  timeout: 300_000,
  use: { ...tests.use, trace: 'off' },
})
