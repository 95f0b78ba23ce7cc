import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("TLS and secrets", .serialized) struct SecretTests {
  @Test("verify-full lets the right server in, and says what is amiss with another")
  func verification() async throws {
    try await withSecureServer { server async throws in
      try await server.connection(server.administrator).script("CREATE ROLE visitor LOGIN PASSWORD 'p-canary-1'")
      func status(_ url: String) async throws -> Program.Outcome {
        try await Program.run(["migrate", "status"], environment: ["RRCM_DATABASE_URL": url])
      }
      let good = try await status(server.url("visitor", password: "p-canary-1"))
      #expect(good.status == 0, "\(good.errors)")
      let cases: [(url: String, says: [String])] = [
        (
          server.url("visitor", password: "p-canary-1", host: "127.0.0.1"),
          [
            "does not match host name \"127.0.0.1\"",
            "Write the host in RRCM_DATABASE_URL as the server's certificate has it",
          ]
        ),
        (
          server.url("visitor", password: "p-canary-1", authority: server.otherAuthority),
          ["certificate verify failed", "name the authority that signed its certificate: sslrootcert=FILE"]
        ),
        (
          server.url("visitor", password: "p-canary-1", authority: "/nowhere/ca.crt"),
          ["root certificate file \"/nowhere/ca.crt\"", "Name the file of the authority"]
        ),
        (server.url("visitor", password: "p-canary-2"), ["password authentication failed", "Check the user"]),
        (
          server.url("visitor", password: "p-canary-1", mode: "disable"),
          ["no pg_hba.conf entry", "no encryption", "Check the user and the password"]
        ),
      ]
      for (url, says) in cases {
        let started = ContinuousClock.now
        let outcome = try await status(url)
        #expect(outcome.status == 69, "\(outcome.errors)")
        for words in says { #expect(outcome.errors.contains(words), "\(words) is not in: \(outcome.errors)") }
        #expect(!outcome.errors.contains("p-canary"))
        // Mistrust does not go away by trying again.
        #expect(ContinuousClock.now - started < .seconds(4))
        let doctor = try await Program.run(["doctor", "--output", "json"], environment: ["RRCM_DATABASE_URL": url])
        #expect(doctor.status == 1 && doctor.output.contains(says[0].replacing("\"", with: "\\\"")), "\(doctor.output)")
        #expect(!(doctor.output + doctor.errors).contains("p-canary"))
      }
      // The connection really is encrypted.
      let url = try DatabaseURL(server.url("visitor", password: "p-canary-1"))
      let row = try await server.connection(url).query(
        "SELECT ssl, current_setting('ssl') AS server FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0]
      #expect(try row.bool("ssl"))

      // What no session shows and yet holds rows is told too.
      let administrator = server.connection(server.administrator)
      try await administrator.script("CREATE TABLE note (n int)")
      try await administrator.script("BEGIN; INSERT INTO note VALUES (1); PREPARE TRANSACTION 'forgotten'")
      let doctor = try await Program.run(
        ["doctor", "--long-seconds", "0.01"],
        environment: ["RRCM_DATABASE_URL": server.administrator.connectionString])
      #expect(doctor.output.contains("prepared transaction 'forgotten'"), "\(doctor.output)")
      #expect(doctor.output.contains("ROLLBACK PREPARED 'forgotten'"))
    }
  }

  @Test("passwords and tokens are in no log, row, output, server log or process list")
  func secrets() async throws {
    let token = "canary-token-7Yt3pX"
    let secrets = [RoledFleet.password, token]
    try await withRoledFleet { parts async throws in
      let fleet = parts.fleet
      let port = try unusedPort()
      let debugging = ["--log-level", "trace"]
      try fleet.start(
        "coordinator", ["coordinator", "start", "--serve-artifacts", "\(port)"] + debugging,
        environment: parts.environment("leader").merging(["RRCM_ARTIFACT_TOKEN": token]) { $1 })
      try parts.start("aggregator", ["aggregator", "start"] + debugging, as: "leader")
      let remote = [
        "RRCM_STORE": "http://127.0.0.1:\(port)", "RRCM_ARTIFACT_TOKEN": token,
        "RRCM_CACHE": fleet.folder.path + "/cache",
      ]
      try fleet.start(
        "worker", ["worker", "start", "--name", "w"] + debugging,
        environment: parts.environment("node_a").merging(remote) { $1 })
      // Passwords by their other doors: PGPASSWORD, and one that is wrong.
      let plain = [
        "RRCM_DATABASE_URL":
          "postgresql://leader@localhost:\(parts.server.port)/rrcm?sslmode=verify-full&sslrootcert=\(parts.server.authority)",
        "PGPASSWORD": RoledFleet.password,
      ]
      let wrong = ["RRCM_DATABASE_URL": parts.server.url("guest", password: RoledFleet.password + "-wrong")]
      let noTable = ["RRCM_DATABASE_URL": parts.server.url("guest", password: RoledFleet.password)]
      let badURL = ["RRCM_DATABASE_URL": "postgresql://leader:\(RoledFleet.password)@localhost:port/rrcm?x"]
      let refused = remote.merging(["RRCM_ARTIFACT_TOKEN": token + "-wrong"]) { $1 }.merging(plain) { $1 }
      try await parts.submit("secret", RoledFleet.certification(n: 4000))
      var said = ""
      for (words, environment) in [
        (["status", "--output", "json"], plain), (["doctor", "--output", "json"], plain.merging(remote) { $1 }),
        (["doctor", "--output", "json"], refused), (["worker", "list", "--output", "json"], plain),
        (["run", "show", "secret"], plain), (["run", "list"], wrong), (["doctor"], wrong), (["run", "list"], badURL),
        (["doctor", "--output", "json"], badURL), (["dataset", "list"], noTable), (["roles", "apply"], noTable),
        (["worker", "start", "--name", "w", "--stop-when-idle"], noTable), (["migrate", "up", "--dry-run"], plain),
      ] as [([String], [String: String])] {
        let outcome = try await Program.run(
          words, environment: ["RRCM_STORE": fleet.folder.path + "/store"].merging(environment) { $1 })
        said += "\n$ \(words)\n" + outcome.output + outcome.errors
      }
      let processes = try Tool.run(["/usr/bin/ps", "axww", "-o", "args"]).output
      #expect(processes.contains("worker start"))
      try await parts.waitUntilDone("secret")
      try await fleet.slay("worker")
      #expect(said.contains("28P01") && said.contains("42501") && said.contains("bad_url"), "\(said)")

      var places = ["what verbs said": said, "the process list": processes]
      for name in ["coordinator", "aggregator", "worker"] { places["log of \(name)"] = fleet.log(name) }
      places["the server's log"] = try String(contentsOfFile: parts.server.logFile, encoding: .utf8)
      places["activity"] = try await fleet.store.connection.query(
        "SELECT coalesce(string_agg(a::text, E'\\n'), '') AS text FROM pg_stat_activity a")[0].text("text")
      places["rows"] = try PostgresDump.run(parts.server)
      #expect(places["rows"]!.contains("COPY rrcm.worker"))
      for (place, text) in places {
        #expect(text.count > 100, "\(place) is empty")
        for secret in secrets {
          // The statements that made the logins are the test's own.
          let lines = text.split(separator: "\n").filter { $0.contains(secret) && !$0.contains("CREATE ROLE") }
          #expect(lines.isEmpty, "\(place): \(lines)")
        }
      }
    }
  }
}

/// Every row of the schema as text.
private enum PostgresDump {
  static func run(_ server: SecureServer) throws -> String {
    let dump = try Tool.run([
      "/usr/bin/pg_dump", "--schema=rrcm", "--data-only", "--dbname", server.administrator.connectionString,
    ])
    guard dump.status == 0 else { throw TestFailure(dump.output) }
    return dump.output
  }
}
