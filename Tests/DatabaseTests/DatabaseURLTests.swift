import Database
import Logging
import Synchronization
import TestSupport
import Testing

@Suite("Database URLs")
struct DatabaseURLTests {
  @Test(
    "no description, reflection or dump shows a password",
    arguments: [
      "postgresql://worker:tops3cret@db.example:6432/rrcm?sslmode=require",
      "host=db.example user=worker password=tops3cret dbname=rrcm",
      "postgresql://worker@db.example/rrcm?password=tops3cret&sslpassword=tops3cret",
    ])
  func noPassword(_ text: String) throws {
    let url = try DatabaseURL(text)
    var dumped = ""
    dump(url, to: &dumped)
    for shown in ["\(url)", String(reflecting: url), dumped, "\([url])", "\(["a": url])"] {
      #expect(!shown.contains("tops3cret"))
      #expect(shown.contains("db.example"))
    }
  }

  @Test(
    "a malformed URL is refused without quoting any of it",
    arguments: [
      "postgresql://u:tops3cret%zz@h/db", "tops3cret", "password=a tops3cret",
      "password=x tops3cret=y", "host='tops3cret", "postgresql://u:tops3cret@[::1/db", "postgres://u:p@h/d?tops3cret=1",
      "host=a\0tops3cret",
    ])
  func malformed(_ text: String) {
    let error = #expect(throws: DatabaseError.self) { try DatabaseURL(text) }
    #expect(error?.code == "bad_url")
    #expect(error.map { String(reflecting: $0).contains("tops3cret") } == false)
    #expect(error?.message.contains("postgresql://user@host:port/database") == true)
  }

  @Test("the keyword string opens the same connection, whatever the values hold")
  func connectionString() throws {
    let url = try DatabaseURL("postgresql://u%27s:p%5Cw%20d@/d%20b?host=/a%20b&port=6432")
    let again = try DatabaseURL(url.connectionString)
    #expect(again == url)
    #expect(again.description == "postgresql://u's@/a b:6432/d b")
    #expect(url.withDatabase("other").description == "postgresql://u's@/a b:6432/other")
  }

  @Test("a refused password appears neither in the error nor in the log")
  func refusedPassword() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      // The role does not exist, so the server refuses; the wrong password must not be repeated.
      let url = try DatabaseURL(database.url.connectionString + " user=no_such_role password=tops3cret")
      let lines = LineCollector()
      let connection = Connection(
        url, applicationName: "rrcm tests", logger: Logger(label: "test") { _ in CollectingHandler(lines: lines) })
      let error = await #expect(throws: DatabaseError.self) { try await connection.query("SELECT 1") }
      #expect(error?.disposition == .permanent)
      #expect(error.map { String(reflecting: $0).contains("tops3cret") } == false)
      #expect(!lines.text.contains("tops3cret"))
    }
  }
}

private final class LineCollector: Sendable {
  private let lines = Mutex("")
  func add(_ line: String) { lines.withLock { $0 += line + "\n" } }
  var text: String { lines.withLock { $0 } }
}

private struct CollectingHandler: LogHandler {
  let lines: LineCollector
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .trace
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }
  func log(event: LogEvent) { lines.add("\(event.message) \(event.metadata ?? [:])") }
}
