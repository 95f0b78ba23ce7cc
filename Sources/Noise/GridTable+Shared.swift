internal import Synchronization

extension GridTable {
  /// The table of a level, computed once per process: it takes tens of milliseconds, and a sweep asks for one per trial.
  ///
  /// - Throws: as ``init(sigma:m:)``.
  package static func shared(sigma: Sigma, m: Int) throws -> GridTable {
    let level = Level(sigma: sigma, m: m)
    if let known = tables.withLock({ $0[level] }) { return known }
    let table = try GridTable(sigma: sigma, m: m)
    tables.withLock { tables in
      if tables.count >= limit { tables.removeAll() }
      tables[level] = table
    }
    return table
  }

  private struct Level: Hashable {
    let sigma: Sigma
    let m: Int
  }

  /// A table has up to some hundred kilobytes.
  private static let limit = 64
  private static let tables = Mutex<[Level: GridTable]>([:])
}
