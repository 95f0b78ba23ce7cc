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
    #expect(json.output.contains("\"radius\": 0.55310491") && json.output.contains("\"abstain\": false"))
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

  @Test("a password never shows")
  func passwords() async throws {
    let environment = ["RRCM_DATABASE_URL": "postgresql://someone:tops3cret@127.0.0.1:1/none"]
    for arguments in [["run", "list"], ["status"], ["worker", "start", "--stop-when-idle"]] {
      let outcome = try await Program.run(arguments, environment: environment)
      #expect(outcome.status == 69)
      #expect(!(outcome.output + outcome.errors).contains("tops3cret"))
    }
  }

  @Test(
    "each verb's help opens with an example",
    arguments: [
      ["run", "submit"], ["run", "list"], ["run", "show"], ["run", "watch"], ["run", "cancel"], ["dataset", "import"],
      ["dataset", "list"], ["dataset", "show"], ["checkpoint", "import"], ["checkpoint", "list"],
      ["checkpoint", "show"],
      ["worker", "start"], ["coordinator", "start"], ["aggregator", "start"], ["migrate", "up"], ["migrate", "status"],
      ["migrate", "sql"], ["export", "certificates"], ["report"], ["radius"], ["verify", "golden"], ["up"], ["down"],
      ["status"],
    ])
  func help(verb: [String]) async throws {
    let outcome = try await Program.run(verb + ["--help"])
    #expect(outcome.status == 0 && outcome.output.contains("rrcm \(verb.joined(separator: " "))"))
  }
}
