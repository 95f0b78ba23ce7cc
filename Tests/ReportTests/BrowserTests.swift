import Foundation
import Smoothing
import TestSupport
import Testing

@testable import Report

/// Debian's Chromium, without a window.
enum Browser {
  static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }
  static let absent: Comment = "skipped: no Chromium on this machine (apt-get install chromium)"

  /// The page as it stands after loading, and everything the browser said about it.
  static func dump(_ html: String) async throws -> (dom: String, log: String) {
    let folder = TemporaryFolder()
    let page = folder.write(Array(html.utf8), "page.html")
    let (dom, log) = (folder.write([], "dom"), folder.write([], "log"))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path!)
    process.arguments = [
      "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(folder.path)/profile",
      "--enable-logging=stderr", "--log-level=0", "--virtual-time-budget=3000",
      // Whatever the page asked of a network would fail and be logged.
      "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", "file://\(page)",
    ]
    try process.start(output: dom, errors: log)
    let deadline = ContinuousClock.now + .seconds(60)
    while process.isRunning, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(50)) }
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    return (try String(contentsOfFile: dom, encoding: .utf8), try String(contentsOfFile: log, encoding: .utf8))
  }
}

@Suite("The page in a real browser", .enabled(if: Browser.path != nil, Browser.absent)) struct BrowserTests {
  @Test("hostile names do nothing, nothing is logged or fetched, every row is there, and a press on a head sorts")
  func page() async throws {
    var report = Sample.hostile()
    report.levels.append(Sample.level(1.0, spread: 1))
    // One red pixel.
    let red =
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
    report.fleet?.images.pictures[0] = .init(width: 1, height: 1, base64: red)
    // The probe presses the head "radius" of the second table, and counts what the page would fetch.
    let probe = """
      <script>
      var heads = document.querySelectorAll("table.items")[1].querySelectorAll("th button");
      var head = Array.from(heads).find(function (button) { return button.textContent === "radius"; });
      head.click();
      head.click();
      var values = Array.from(document.querySelectorAll("table.items")[1].tBodies[0].rows)
        .map(function (row) { return Number(row.cells[5].dataset.v); });
      document.body.dataset.sorted = values.every(function (v, i) { return i === 0 || values[i - 1] >= v; });
      document.body.dataset.fetched = performance.getEntriesByType("resource")
        .filter(function (entry) { return !entry.name.startsWith("data:"); }).length;
      document.body.dataset.aria = head.parentNode.getAttribute("aria-sort");
      </script>
      </body>
      """
    let html = HTMLReport(report).text.replacing("</body>", with: probe)
    let (dom, log) = try await Browser.dump(html)
    #expect(!log.contains("CONSOLE"), "\(log)")
    #expect(dom.contains("data-sorted=\"true\"") && dom.contains("data-fetched=\"0\""), "\(dom.suffix(1500))")
    #expect(dom.contains("data-aria=\"descending\""))
    #expect(dom.split(separator: "<tr id=\"s0i").count == 13 && dom.split(separator: "<tr id=\"s1i").count == 101)
    #expect(dom.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !dom.contains("<script>alert"))
  }
}
