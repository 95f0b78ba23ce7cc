internal import Database
internal import Foundation
internal import Migrations
internal import Store

/// Is there a database that we can work with?
struct DatabaseChecks {
  let context: Context
  /// How long a transaction may be open before it is told.
  let longSeconds: Double

  /// What was found, and a store when the schema is as it should be.
  func run() async -> (findings: [Finding], store: Store?) {
    var findings: [Finding] = []
    let connection: Connection
    let server: Row
    do {
      connection = try await context.connection("doctor", patience: .seconds(3), isQuiet: true)
      server = try await Store(connection).doctorServer()
    } catch {
      let isFull = (error as? DatabaseError)?.code == "53300"
      return (
        [unreachable(error)] + skip(isFull ? "there is no free connection" : "the database cannot be reached"), nil
      )
    }
    do {
      findings.append(.version("postgresql", try server.text("version")))
      findings.append(.fine(.database, "\(connection.url) answers"))
      if let trouble = await pooling(connection) {
        findings.append(trouble)
        return (findings + skip("transactions do not work"), nil)
      }
      findings.append(.fine(.pooling, "transactions work"))
      findings.append(try readOnly(server))
      let store = Store(connection)
      findings.append(try await connections(store))
      findings.append(try await horizon(store))
      let (schema, isCurrent) = try await schema(connection)
      findings.append(schema)
      return (findings, isCurrent ? store : nil)
    } catch {
      findings.append(
        .trouble(
          .database, "\(error)", cause: "the database stopped answering while it was examined",
          remedy: "look at the server's log, then run rrcm doctor again"))
      return (findings, nil)
    }
  }

  private func skip(_ reason: String) -> [Finding] {
    [Finding.Check.pooling, .readOnly, .connections, .horizon, .schema].map { .skipped($0, because: reason) }
  }

  private func unreachable(_ error: any Error) -> Finding {
    guard let error = error as? DatabaseError else {
      return .trouble(
        .database, "\(error)", cause: "nothing says where the database is, or the private one is stopped",
        remedy: "rrcm up, or set RRCM_DATABASE_URL")
    }
    switch error.code {
    case "bad_url":
      return .trouble(
        .database, error.message, cause: "RRCM_DATABASE_URL cannot be read", remedy: "correct RRCM_DATABASE_URL")
    case "28P01", "28000":
      return .trouble(
        .database, error.message, cause: "the server is there and refuses this user",
        remedy: "check user, password (PGPASSWORD or a pgpass file) and pg_hba.conf")
    case "server_not_trusted":
      return .trouble(
        .database, error.message, cause: "TLS is asked for, and what the server shows is not what the URL expects",
        remedy: "do what the sentence says")
    case "3D000":
      return .trouble(
        .database, error.message, cause: "the server has no database of that name",
        remedy: "createdb NAME, or correct RRCM_DATABASE_URL; then rrcm migrate up")
    case "53300":
      return .trouble(
        .database, error.message, cause: "every connection that the server, the database or the role allows is in use",
        remedy: "close idle sessions, raise max_connections, or put PgBouncer in transaction mode in between")
    case "57P03":
      return .trouble(
        .database, error.message, cause: "the server is starting up or shutting down", remedy: "wait, then try again")
    default:
      return .trouble(
        .database, error.message, cause: "the server is down, or a wrong address, a firewall or TLS stands in between",
        remedy: "start the server (rrcm up for the private one), or correct RRCM_DATABASE_URL")
    }
  }

  /// A pooler that gives every statement another session breaks the fleet: everything is a transaction.
  private func pooling(_ connection: Connection) async -> Finding? {
    do {
      try await connection.transaction { connection in _ = try connection.query("SELECT 1 AS one") }
      return nil
    } catch {
      return .trouble(
        .pooling, "\(error)",
        cause: "a connection pooler in statement mode stands before the database: it allows no transactions",
        remedy: "set pool_mode = transaction (or session) in pgbouncer.ini and reload it")
    }
  }

  private func readOnly(_ server: Row) throws -> Finding {
    if try server.bool("in_recovery") {
      return .trouble(
        .readOnly, "the server is in recovery and takes no writes", cause: "it is a standby",
        remedy: "add target_session_attrs=read-write to the URL and name all servers in it, or promote this one")
    }
    if try server.bool("read_only") {
      return .trouble(
        .readOnly, "new transactions are read-only",
        cause: "default_transaction_read_only is on, for the server, the database, the role or in the URL",
        remedy: "ALTER DATABASE \(try server.text("database")) RESET default_transaction_read_only;"
          + " likewise for the role \(try server.text("role")); then look at postgresql.conf and the URL's options")
    }
    return .fine(.readOnly, "the database takes writes")
  }

  private func connections(_ store: Store) async throws -> Finding {
    var tightest = (share: -1.0, text: "")
    for row in try await store.doctorConnections() {
      let (sessions, allowed) = (try row.int("sessions"), try row.int("allowed"))
      let share = Double(sessions) / Double(max(allowed, 1))
      if share > tightest.share {
        tightest = (share, "\(try row.text("scope")): \(sessions) of \(allowed) connections")
      }
    }
    guard tightest.share >= 0.9 else { return .fine(.connections, tightest.text) }
    return .trouble(
      .connections, tightest.text,
      cause: "the limit is nearly reached: a worker takes one or two connections, other programs take theirs",
      remedy:
        "raise the limit (max_connections, or CONNECTION LIMIT of the database or role), close idle sessions, or put"
        + " PgBouncer in transaction mode in between")
  }

  private func horizon(_ store: Store) async throws -> Finding {
    let sessions = try await store.doctorTransactions(longerThan: longSeconds)
    if let first = sessions.first {
      let application = try first.text("application")
      return .trouble(
        .horizon,
        "session \(try first.int("pid")) (\(application.isEmpty ? "unnamed" : application), role \(try first.text("role")),"
          + " \(try first.text("state"))) has had a transaction open for \(Int(try first.double("seconds"))) s"
          + (sessions.count > 1 ? ", and \(sessions.count - 1) more" : ""),
        cause: "while it is open no dead row of item, lease or worker is cleaned away, and claims slow down",
        remedy: "end it there, or: SELECT pg_terminate_backend(\(try first.int("pid"))); set"
          + " idle_in_transaction_session_timeout so that it does not come back")
    }
    if let pin = try await store.doctorPins(longerThan: longSeconds).first {
      return .trouble(
        .horizon, "\(try pin.text("holder")) holds on to rows of \(try pin.int("transactions")) transactions ago",
        cause: "no dead row of item, lease or worker is cleaned away while it is there, and claims slow down",
        remedy: "look who needs it; if nobody does: \(try pin.text("remedy"))")
    }
    if let table = try await store.doctorDeadRows().first {
      return .trouble(
        .horizon,
        "table rrcm.\(try table.text("name")) has \(try table.int("dead")) dead rows and \(try table.int("live")) live ones",
        cause: "autovacuum does not keep up, is switched off, or something held it back",
        remedy:
          "VACUUM rrcm.\(try table.text("name")); then look at autovacuum, replication slots and prepared transactions"
      )
    }
    return .fine(.horizon, "no transaction is open for longer than \(Int(longSeconds)) s")
  }

  private func schema(_ connection: Connection) async throws -> (Finding, isCurrent: Bool) {
    do {
      let migrations = try await Migrator(connection).status()
      let pending = migrations.filter { $0.appliedAt == nil }
      guard let first = pending.first else {
        return (.fine(.schema, "version \(migrations.count), as this program expects"), true)
      }
      let isMissing = pending.count == migrations.count
      return (
        .trouble(
          .schema,
          isMissing
            ? "the database has no schema of the fleet"
            : "\(counted(pending.count, "migration")) \(pending.count == 1 ? "is" : "are") not applied, the first is"
              + " \(first.number) (\(first.name))",
          cause: isMissing ? "it is new, or another database" : "the database was set up by an older rrcm",
          remedy: "rrcm migrate up"), false
      )
    } catch let error as DatabaseError where error.code == "schema_newer" || error.code == "schema_changed" {
      return (
        .trouble(
          .schema, error.message, cause: "the database was migrated by another version of rrcm",
          remedy: "use that rrcm; this one is \(Software.version)"), false
      )
    }
  }
}
