import Database
import Foundation
import LocalFleet
import Models
import Noise
import Store
import TestSupport
import Testing
import Training

@Suite("Bad input") struct RefusalTests {
  @Test("the list of cases is long, and every case has a name of its own")
  func count() {
    let names = Refusal.all.flatMap { family in family.cases.map { "\(family.family): \($0.what)" } }
    #expect(names.count >= 120)
    #expect(Set(names).count == names.count)
    #expect(Refusal.all.allSatisfy { $0.cases.allSatisfy { !$0.says.isEmpty } })
  }

  @Test(
    "each is refused with its exit status, field, value and remedy, and leaves stored rows and files as they were",
    arguments: Refusal.all.map(\.family))
  func refused(family: String) async throws {
    let cases = Refusal.all.first { $0.family == family }!.cases
    try await withTestDatabase { database async throws in
      let stage = try await Stage(database)
      for refusal in cases { try await stage.check(refusal) }
    }
  }

  @Test("a wrong password is refused without repeating it")
  func wrongPassword() async throws {
    let home = try TemporaryFolder.make("password")
    defer { TemporaryFolder.remove(home) }
    let cluster = try PrivateCluster(home: home, durability: .none)
    defer { try? cluster.stopServer(timeout: .seconds(20)) }
    try await cluster.start()
    let url = try cluster.url
    let connection = Connection(url, applicationName: "rrcm tests", logger: .silent)
    let file = try await connection.query("SELECT current_setting('hba_file') AS path")[0].text("path")
    try await connection.script("CREATE ROLE guest LOGIN PASSWORD 'right'")
    try Data("local all all scram-sha-256\n".utf8).write(to: URL(fileURLWithPath: file))
    try await connection.script("SELECT pg_reload_conf()")
    let guest = "\(url.connectionString) user=guest password=tops3cret"
    let outcome = try await Program.run(["run", "list"], environment: ["RRCM_DATABASE_URL": guest])
    #expect(outcome.status == 69 && outcome.errors.contains("28P01"), "\(outcome)")
    #expect(outcome.errors.contains("Check the user and the password"))
    #expect(!outcome.errors.contains("tops3cret"))
  }
}

/// A small library, recorded by the program itself, and what every case starts from.
private struct Stage {
  let database: TestDatabase
  let folder = TemporaryFolder()
  let connection: Connection
  private let net: [String: [UInt8]]

  init(_ database: TestDatabase) async throws {
    self.database = database
    connection = database.connection()
    let configuration = ViTConfiguration(
      imageSize: 8, patchSize: 4, channels: 1, width: 8, depth: 1, heads: 2, classes: 10)
    var encoder = configuration
    encoder.classes = 0
    for name in ["net", "encoder"] {
      try FileManager.default.createDirectory(atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
    }
    let stream = RandomStream(seed: 1, purpose: "test-weights")
    try Checkpoint(
      kind: .classifier, configuration: configuration,
      state: Initialization.framework.state(configuration, from: stream)
    ).write(folder: folder.path + "/net")
    try Checkpoint(
      kind: .pretrained, configuration: encoder, state: Initialization.framework.state(encoder, from: stream)
    ).write(folder: folder.path + "/encoder")
    var files: [String: [UInt8]] = [:]
    for name in ["model.safetensors", "config.json"] {
      files["net/\(name)"] = [UInt8](FileManager.default.contents(atPath: "\(folder.path)/net/\(name)")!)
    }
    net = files
    let digits = (0..<60).map { i in String(repeating: "\(i % 17),", count: 64) + "\(i % 10)\n" }.joined()
    let run =
      "kind: certify\nname: done\ncheckpoint: net\ndataset: {name: digits}\n"
      + "smoothing: {sigma: [0.25], n0: 10, n: 100}\nseed: 1\n"
    for arguments in [
      ["dataset", "import", "digits", folder.write(utf8(digits), "digits.csv")],
      ["dataset", "import", "imagefolder", colour(), "--size", "8", "--name", "colour"],
      ["checkpoint", "import", folder.path + "/net"], ["checkpoint", "import", folder.path + "/encoder"],
      ["run", "submit", folder.write(utf8(run), "run.yaml")],
    ] {
      let outcome = try await Program.run(arguments, environment: environment)
      try #require(outcome.status == 0, "\(arguments): \(outcome.errors)")
    }
  }

  private func colour() -> String {
    folder.write(PNG.image(width: 8, height: 8), "colour/a/1.png")
    return folder.path + "/colour"
  }

  private var environment: [String: String] {
    [
      "RRCM_DATABASE_URL": database.url.connectionString, "RRCM_HOME": folder.path + "/home",
      "RRCM_STORE": folder.path + "/store",
    ]
  }

  func check(_ refusal: Refusal) async throws {
    let own = TemporaryFolder()
    for (name, content) in net.merging(refusal.files, uniquingKeysWith: { $1 }) { own.write(content, name) }
    func filled(_ text: String) -> String {
      text.replacing("$F", with: own.path).replacing("$URL", with: database.url.connectionString)
    }
    let before = try await footprint()
    if let sql = refusal.before { try await connection.script(sql) }
    let outcome = try await Program.run(
      refusal.arguments.map(filled), environment: environment.merging(refusal.environment.mapValues(filled)) { $1 },
      shell: refusal.shell)
    if let sql = refusal.after { try await connection.script(sql) }
    #expect(outcome.status == refusal.status, "\(refusal.what): status \(outcome.status): \(outcome.errors)")
    for part in refusal.says.map(filled) {
      #expect(outcome.errors.contains(part), "\(refusal.what): \"\(part)\" is not in: \(outcome.errors)")
    }
    // An answer may have begun before its file could not be written.
    #expect(outcome.output.isEmpty || refusal.status == 74, "\(refusal.what): \(outcome.output.prefix(200))")
    #expect(!outcome.errors.contains("Fatal error"), "\(refusal.what)")
    #expect(try await footprint() == before, "\(refusal.what): something stored has changed")
    // No part of a file stays under its final name.
    #expect(!FileManager.default.fileExists(atPath: own.path + "/page.html"), "\(refusal.what)")
  }

  private func footprint() async throws -> String {
    try await Footprint.rows(connection) + "\n" + Footprint.files(folder.path + "/store")
  }
}
