import type { FullResult, Reporter, Suite, TestCase, TestResult } from '@playwright/test/reporter'

/** Ends the run with one plain line that says how many tests passed and failed. */
export default class ClosingLine implements Reporter {
  private readonly outcome = new Map<string, boolean>()

  onBegin(_config: unknown, suite: Suite) {
    console.log(`Running ${suite.allTests().length} browser tests`)
  }

  onTestEnd(test: TestCase, result: TestResult) {
    this.outcome.set(test.id, result.status === test.expectedStatus)
  }

  onEnd(_result: FullResult) {
    const passed = [...this.outcome.values()].filter(Boolean).length
    console.log(`${passed} passed, ${this.outcome.size - passed} failed`)
  }
}
