import TestSupport
import Testing

private let promtool = Tool.find("promtool")

@Suite("Alerts") struct AlertTests {
  @Test(
    "alert rules are valid, silent on a healthy fleet and loud on a sick one",
    .enabled(if: promtool != nil, "skipped: no promtool on this machine (Debian: prometheus)"),
    arguments: [
      ["check", "rules", "rrcm.rules.yml"], ["check", "config", "prometheus.yml"],
      ["test", "rules", "rrcm.rules.test.yml"],
    ])
  func rules(_ words: [String]) throws {
    let done = try Tool.run([promtool!] + words, folder: "\(Repository.root)/deploy/prometheus")
    #expect(done.status == 0, "\(done.output)")
  }
}
