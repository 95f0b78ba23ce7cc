internal import Artifacts
internal import Datasets
internal import Foundation
internal import Models
internal import Store
internal import Tensors
internal import Worker

/// Is there room, and is what the database names really here?
struct StoreChecks {
  let context: Context
  /// Bytes that must be free.
  let leastFree: Int64
  /// Read and hash every file.
  let deep: Bool

  func run(_ store: Store?) async throws -> [Finding] {
    let registered = try await store?.registeredFiles()
    do {
      var policy = TransferPolicy()
      policy.attempts = 1
      policy.connectTimeout = .seconds(3)
      if let remote = try context.remote(policy) { return try await offPool { ask(remote, registered) } }
    } catch {
      return [
        .trouble(
          .store, "\(error)", cause: "RRCM_STORE, or the token for it, cannot be used as it is",
          remedy: "do what the sentence says"), .skipped(.files, because: "there is no store to look in"),
      ]
    }
    let space = storeDirectory(isNeeded: registered.map { !$0.isEmpty } ?? false)
    guard let registered else {
      return [space, .skipped(.files, because: "the database cannot be asked what is needed")]
    }
    return [space, try await offPool { files(registered) }]
  }

  /// Asks a store behind an address for what is registered; nothing is fetched.
  private func ask(
    _ remote: ArtifactRemote, _ registered: [(kind: String, name: String, digest: String)]?
  ) -> [Finding] {
    guard let registered else {
      return [
        .skipped(.store, because: "nothing is known to ask \(remote.address) for"),
        .skipped(.files, because: "likewise"),
      ]
    }
    var missing: [String] = []
    do {
      for file in registered {
        guard let digest = SHA256(hex: file.digest), try remote.has(digest) else {
          missing.append("\(file.kind) \(file.name)")
          continue
        }
      }
    } catch {
      return [
        .trouble(
          .store, "\(error)",
          cause: error.code == .unauthorized
            ? "the server wants a token, or another one" : "the server is down, or network or proxy stand in between",
          remedy: error.code == .unauthorized
            ? "set the server's RRCM_ARTIFACT_TOKEN or RRCM_ARTIFACT_TOKEN_FILE here too"
            : "start it: rrcm coordinator start --serve-artifacts; or correct RRCM_STORE"),
        .skipped(.files, because: "the store does not answer"),
      ]
    }
    let space = spaceTrouble() ?? .fine(.store, "\(remote.address) answers, cache in \(context.storeDirectory)")
    return [space, missing.isEmpty ? present(registered.count, "there") : Self.missing(missing, "\(remote.address)")]
  }

  private func present(_ count: Int, _ how: String) -> Finding {
    .fine(
      .files, count == 0 ? "no image set or checkpoint is registered" : "\(counted(count, "registered file")) \(how)")
  }

  private static func missing(_ names: [String], _ place: String) -> Finding {
    .trouble(
      .files, "not in \(place): \(Finding.names(names))", cause: "they were imported into another store, or removed",
      remedy: "point RRCM_STORE at the store that has them, copy them, or import them again")
  }

  /// The folder or `RRCM_HOME` on a disk that is nearly full.
  private func spaceTrouble() -> Finding? {
    for folder in [context.storeDirectory, context.home] {
      guard let free = Self.freeBytes(folder), free < leastFree else { continue }
      return .trouble(
        .store, "\(folder) has \(Self.shown(free)) left", cause: "its disk is nearly full",
        remedy: "free some space: at least \(Self.shown(leastFree)) is wanted (--least-free-gib)")
    }
    return nil
  }

  private func storeDirectory(isNeeded: Bool) -> Finding {
    let directory = context.storeDirectory
    var status = stat()
    guard stat(directory, &status) == 0 else {
      guard isNeeded else { return .fine(.store, "\(directory) will be made at the first import") }
      return .trouble(
        .store, "there is no folder \(directory)",
        cause: "RRCM_STORE names another place than where files were imported",
        remedy: "point RRCM_STORE at the store, mount it, or import the files again")
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      return .trouble(
        .store, "\(directory) is not a folder", cause: "RRCM_STORE names a file", remedy: "give another RRCM_STORE")
    }
    guard access(directory, R_OK | X_OK) == 0, access(directory, W_OK) == 0 else {
      return .trouble(
        .store, "\(directory) cannot be read and written by this user (\(String(cString: strerror(errno))))",
        cause: "it belongs to another user, or the disk is mounted read-only",
        remedy: "correct owner and mode, or the mount; workers that only certify can do with reading")
    }
    if let trouble = spaceTrouble() { return trouble }
    return .fine(.store, "\(directory), \(Self.freeBytes(directory).map { Self.shown($0) } ?? "unknown space") free")
  }

  /// Bytes that this user may still write where a folder is, or would be.
  private static func freeBytes(_ folder: String) -> Int64? {
    var path = folder
    var facts = statvfs()
    while statvfs(path, &facts) != 0 {
      let above = (path as NSString).deletingLastPathComponent
      if above.isEmpty || above == path { return nil }
      path = above
    }
    return Int64(facts.f_bavail) * Int64(facts.f_frsize)
  }

  private static func shown(_ bytes: Int64) -> String { String(format: "%.1f GiB", Double(bytes) / 1_073_741_824) }

  private func files(_ registered: [(kind: String, name: String, digest: String)]) -> Finding {
    guard !registered.isEmpty else { return present(0, "") }
    guard access(context.storeDirectory, F_OK) == 0, let artifacts = try? context.artifacts() else {
      return .skipped(.files, because: "there is no store to look in")
    }
    var (missing, damaged): ([String], [String]) = ([], [])
    for file in registered {
      let label = "\(file.kind) \(file.name)"
      do {
        guard let digest = SHA256(hex: file.digest), artifacts.contains(digest) else {
          missing.append(label)
          continue
        }
        guard deep else { continue }
        if file.kind == "checkpoint" {
          _ = try artifacts.checkpoint(file.digest)
        } else {
          _ = try artifacts.imageSet(file.digest)
        }
      } catch let error as ArtifactError where error.code == .notFound {
        missing.append("part of \(label)")
      } catch {
        damaged.append("\(label) (\(error))")
      }
    }
    if !damaged.isEmpty {
      return .trouble(
        .files, "damaged: \(Finding.names(damaged))",
        cause: "the disk or a copy changed bytes: content and name differ",
        remedy: "remove the file and import it again, or copy it from another store; check the disk")
    }
    if !missing.isEmpty { return Self.missing(missing, context.storeDirectory) }
    return present(registered.count, deep ? "whole" : "present")
  }
}
