import Database
import Foundation
import LocalFleet
import TestSupport

/// One of PostgreSQL's own client programs, run to its end against a test's database.
enum PostgresProgram {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// - Parameter program: `psql` or `pg_dump`; the newest installation's.
  /// - Returns: standard output and error.
  static func run(_ program: String, _ arguments: [String], on database: TestDatabase) throws -> String {
    let folder = TemporaryFolder()
    let path = folder.write([], "output")
    let process = Process()
    process.executableURL = URL(
      fileURLWithPath: "\(try PostgresInstallation.find()[0].folder)/\(program)")
    process.arguments = ["--dbname", database.url.connectionString] + arguments
    process.environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PGTZ": "UTC"]
    try process.start(output: path, errors: path)
    process.waitUntilExit()
    let text = try String(contentsOfFile: path, encoding: .utf8)
    guard process.terminationStatus == 0 else {
      throw Failure(description: "\(program) ended with status \(process.terminationStatus):\n\(text)")
    }
    return text
  }
}
