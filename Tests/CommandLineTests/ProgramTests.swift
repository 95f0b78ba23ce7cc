import Database
import Foundation
import TestSupport
import Testing

@Suite("The program") struct ProgramTests {
  @Test("a certificate from counts, for people and for programs")
  func radius() async throws {
    let text = try await Program.run(["radius", "--hits", "9900", "--draws", "10000", "--sigma", "0.25"])
    #expect(
      text.status == 0 && text.output.contains("p_lower  0.98653115") && text.output.contains("radius   0.55310491"))
    let json = try await Program.run([
      "radius", "--hits", "9900", "--draws", "10000", "--sigma", "0.25", "--output", "json",
    ])
    let rows = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]]
    #expect(rows?.count == 1 && rows?[0]["hits"] as? Int == 9900 && rows?[0]["abstain"] as? Bool == false)
    #expect(json.output.contains("\"radius\": 0.55310491"))
    let abstains = try await Program.run(["radius", "--hits", "5155", "--draws", "10000", "--sigma", "1"])
    #expect(abstains.output.contains("abstain"))
  }

  @Test("a table of counts keeps its other columns")
  func radiusTable() async throws {
    let folder = TemporaryFolder()
    let file = folder.write(
      Array("image,hits,draws,sigma,alpha\n\"a,b\",100,100,0.5,0.001\nc,50,100,0.5,0.001\n".utf8), "in.csv")
    let answer = try await Program.run(["radius", "--input", file])
    let lines = answer.output.split(separator: "\n")
    #expect(answer.status == 0 && lines[0] == "image,hits,draws,sigma,alpha,p_lower,radius,abstain")
    #expect(lines[1].hasPrefix("\"a,b\",100,100,0.5,0.001,0.933254300") && lines[1].hasSuffix(",0"))
    #expect(lines[2].hasSuffix(",0,1"))
  }

  @Test("everything wrong with a question is said at once, with exit status 64")
  func badQuestions() async throws {
    let outcome = try await Program.run(["radius", "--hits", "11", "--draws", "10", "--sigma", "-1", "--alpha", "2"])
    #expect(outcome.status == 64 && outcome.output.isEmpty)
    for part in ["--hits is 11", "--sigma is -1", "--alpha is 2"] { #expect(outcome.errors.contains(part)) }
    let folder = TemporaryFolder()
    let file = folder.write(Array("hits,draws,sigma,alpha\n1,2,x,0.001\n5,2,1,0\n".utf8), "in.csv")
    let table = try await Program.run(["radius", "--input", file])
    #expect(table.status == 64 && table.output.isEmpty)
    #expect(table.errors.contains("line 2, column sigma") && table.errors.contains("line 3, column hits"))
    #expect(table.errors.contains("line 3, column alpha"))
  }

  @Test("a table that cannot be read, and options that do not go with one, are wrong usage")
  func tableUsage() async throws {
    let folder = TemporaryFolder()
    let file = folder.write(Array("hits,draws,sigma,alpha\n1,2,1,0.001\n".utf8), "in.csv")
    for (arguments, message) in [
      (["--input", "/nowhere.csv"], "/nowhere.csv cannot be read"),
      (["--input", folder.write([0xFF, 0xFE], "b.csv")], "is not UTF-8 text"),
      (["--input", file, "--hits", "3"], "--input stands alone"),
      (["--input", file, "--output", "json"], "--output is json; --input answers with CSV"),
    ] {
      let outcome = try await Program.run(["radius"] + arguments)
      #expect(outcome.status == 64 && outcome.output.isEmpty && outcome.errors.contains(message), "\(outcome)")
    }
  }

  @Test("submitting says what is wrong with every file, before it asks for a database")
  func wrongRunFiles() async throws {
    let folder = TemporaryFolder()
    let first = folder.write(Array("kind: certify\nname: a\nzebra: 1\nsmoothing: {sigma: [-1]}".utf8), "a.yaml")
    let second = folder.write(Array("kind: paint".utf8), "b.yaml")
    let outcome = try await Program.run(["run", "submit", first, second, folder.path + "/c.yaml"])
    #expect(outcome.status == 64 && outcome.output.isEmpty)
    for part in [
      "\(first): zebra is not a setting", "\(first): smoothing.sigma is [-1]", "\(first): dataset.name is missing",
      "\(second): kind is \"paint\"", "c.yaml cannot be read",
    ] { #expect(outcome.errors.contains(part), "\(part) is missing from \(outcome.errors)") }
  }

  @Test("wrong usage ends with 64", arguments: [["fly"], ["run", "submit"], ["worker", "start", "--threads", "0"]])
  func usage(arguments: [String]) async throws {
    #expect(try await Program.run(arguments).status == 64)
  }

  @Test("without a database the exit status is 69 and the message says how to start one")
  func noDatabase() async throws {
    let outcome = try await Program.run(["run", "list"])
    #expect(outcome.status == 69 && outcome.errors.contains("rrcm up"), "\(outcome.errors)")
  }

  @Test("a database without the schema says how to make it, and migrating makes it")
  func unmigrated() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let environment = ["RRCM_DATABASE_URL": database.url.connectionString]
      let refused = try await Program.run(["run", "list"], environment: environment)
      #expect(refused.status == 1 && refused.errors.contains("rrcm migrate up"))
      #expect(try await Program.run(["migrate", "up"], environment: environment).status == 0)
      #expect(try await Program.run(["run", "list"], environment: environment).status == 0)
      let status = try await Program.run(["migrate", "status", "--output", "csv"], environment: environment)
      #expect(status.output.hasPrefix("migration,name,applied\n1,initial,2"))
    }
  }

  @Test("the migrations print without a database")
  func printedMigrations() async throws {
    let outcome = try await Program.run(["migrate", "sql"])
    #expect(outcome.status == 0 && outcome.output.contains("CREATE TABLE rrcm.chunk_count"))
  }

  @Test("psql applies the printed migrations to an empty database, and the program then finds it current")
  func printedMigrationsApply() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let folder = TemporaryFolder()
      let printed = folder.write(Array(try await Program.run(["migrate", "sql"]).output.utf8), "all.sql")
      let psql = Process()
      psql.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      psql.arguments = [
        "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", printed, database.url.connectionString,
      ]
      let said = folder.write([], "psql.err")
      try psql.start(errors: said)
      while psql.isRunning { try await Task.sleep(for: .milliseconds(20)) }
      let errors = try String(contentsOfFile: said, encoding: .utf8)
      #expect(psql.terminationStatus == 0, "\(errors)")
      let environment = ["RRCM_DATABASE_URL": database.url.connectionString]
      let up = try await Program.run(["migrate", "up"], environment: environment)
      #expect(up.status == 0 && up.errors.contains("nothing to do: the schema is current"))
      #expect(try await Program.run(["run", "list"], environment: environment).status == 0)
    }
  }

  @Test("a database URL that cannot be read is wrong usage, and is not quoted")
  func unreadableURL() async throws {
    let outcome = try await Program.run(
      ["run", "list"], environment: ["RRCM_DATABASE_URL": "postgresql://me:tops3cret@host:port/x?nonsense=1"])
    #expect(outcome.status == 64 && outcome.errors.contains("the database URL names an option"), "\(outcome.errors)")
    #expect(!outcome.errors.contains("tops3cret"))
  }

  @Test("the program's own help and version")
  func programHelp() async throws {
    let help = try await Program.run(["--help"])
    #expect(help.status == 0 && help.output.contains("rrcm up; rrcm run submit FILE.yaml"))
    #expect(help.output.contains("rrcm radius --hits 9900 --draws 10000 --sigma 0.25"))
    #expect(try await Program.run(["--version"]).output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
  }

  @Test("a password never shows")
  func passwords() async throws {
    let environment = ["RRCM_DATABASE_URL": "postgresql://someone:tops3cret@127.0.0.1:1/none"]
    for arguments in [["run", "list"], ["status"], ["worker", "start", "--connect-seconds", "1"]] {
      let outcome = try await Program.run(arguments, environment: environment)
      #expect(outcome.status == 69)
      #expect(!(outcome.output + outcome.errors).contains("tops3cret"))
    }
  }
}
