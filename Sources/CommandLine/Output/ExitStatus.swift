internal import Artifacts
internal import Compute
internal import Database
internal import Datasets
internal import Foundation
internal import LocalFleet
internal import Noise
internal import RunFile
internal import Smoothing
internal import Tensors
internal import Worker

/// Exit codes that scripts and orchestrators can rely on. docs/command-line.md has the same table.
enum ExitStatus: Int32, CaseIterable {
  case done = 0
  case failed = 1
  case badInput = 64
  case noDatabase = 69
  case badMachine = 71
  case outputFailed = 74
  case tryAgain = 75

  /// A few words for help texts.
  var summary: String {
    switch self {
    case .done: "done"
    case .failed: "failed"
    case .badInput: "wrong usage or input"
    case .noDatabase: "no database"
    case .badMachine: "this machine cannot do the work"
    case .outputFailed: "a file could not be written or read"
    case .tryAgain: "try again"
    }
  }

  /// `0 done, 1 failed, …`
  static var line: String { allCases.map { "\($0.rawValue) \($0.summary)" }.joined(separator: ", ") }

  /// The code for an error of ours; nil for those that ArgumentParser reports itself.
  init?(of error: any Error) {
    switch error {
    case let error as CommandFailure: self = error.status
    case let error as DatabaseError: self = Self(of: error)
    case is DatabaseStopped: self = .noDatabase
    case let error as FormatError: self = error.systemError != nil ? .outputFailed : .badInput
    case is RunFileError, is RefusedFiles, is InputProblems, is RadiusTable.Failure: self = .badInput
    case let error as ArtifactError: self = Self(of: error)
    case let error as LeftWork: self = error.fault == .machine ? .badMachine : .failed
    case is ComputeError, is NoiseError: self = .failed
    case let error as LocalError: self = error.code == "disk_full" ? .outputFailed : .failed
    default: return nil
    }
  }

  private init(of error: ArtifactError) {
    switch error.code {
    case .badRequest: self = .badInput
    case .unreachable, .stopped: self = .tryAgain
    case .notFound, .unauthorized, .refused: self = .failed
    case .corrupt, .diskFull, .inaccessible: self = .outputFailed
    }
  }

  /// A server that cannot be reached, or does not let us in, is no database to us.
  private init(of error: DatabaseError) {
    switch error.code {
    case "bad_url": self = .badInput
    case "connection_failed", "server_not_trusted", "cluster_stopped", "server_too_old", "28P01", "28000", "3D000":
      self = .noDatabase
    default: self = error.disposition == .retry ? .tryAgain : .failed
    }
  }
}

/// A failure a person should read, with the exit code that belongs to it.
struct CommandFailure: Error, CustomStringConvertible, LocalizedError {
  let description: String
  let status: ExitStatus

  init(_ description: String, status: ExitStatus = .failed) {
    self.description = description
    self.status = status
  }

  var errorDescription: String? { description }
}

/// Everything wrong with a command's input.
struct InputProblems: Error, CustomStringConvertible {
  let description: String
  init(_ problems: [String]) { description = problems.joined(separator: "\n") }
}
