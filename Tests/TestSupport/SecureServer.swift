package import Database
import Foundation
import LocalFleet

/// A PostgreSQL of a test's own that is reached over TCP with TLS and passwords, as in production, and over its socket by
/// any role without one. It has a certificate of its own authority for the name `localhost`.
///
/// For what is cluster-wide (roles) or wants a certificate; most tests want ``withTestDatabase(migrated:_:)``.
package struct SecureServer: Sendable {
  /// Certificate of the authority that signed the server's.
  package let authority: String
  /// Certificate of an authority that signed nothing.
  package let otherAuthority: String
  package let port: UInt16
  package let socketFolder: String
  package let dataFolder: String
  /// The server's log, with every statement.
  package let logFile: String

  /// The database as the superuser, over the socket.
  package var administrator: DatabaseURL { local("rrcm") }

  /// The database as `login`, over the socket, without a password.
  package func local(_ login: String) -> DatabaseURL {
    try! DatabaseURL("host=\(socketFolder) port=\(port) user=\(login) dbname=rrcm")
  }

  /// The database as `login`, over TCP.
  package func url(
    _ login: String, password: String, host: String = "localhost", mode: String = "verify-full",
    authority: String? = nil
  ) -> String {
    "postgresql://\(login):\(password)@\(host):\(port)/rrcm?sslmode=\(mode)&sslrootcert=\(authority ?? self.authority)"
  }

  package func connection(_ url: DatabaseURL) -> Connection {
    Connection(url, applicationName: "rrcm tests", logger: .silent, reconnect: ReconnectPolicy(limit: .seconds(10)))
  }
}

/// Makes a server, runs `body` with it, and removes it.
package func withSecureServer<T>(_ body: (SecureServer) async throws -> T) async throws -> T {
  try await withTemporaryFolder { home async throws in
    let cluster = try PrivateCluster(home: home, durability: .none)
    try await cluster.start()
    defer { try? cluster.stopServer(timeout: .seconds(20)) }
    let folder = home + "/tls"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for name in ["ca", "other"] {
      try Tool.mustRun([
        "/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days",
        "2", "-subj", "/CN=Authority \(name)", "-keyout", "\(folder)/\(name).key", "-out", "\(folder)/\(name).crt",
      ])
    }
    try Tool.mustRun([
      "/usr/bin/openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
      "/CN=localhost", "-keyout", "\(folder)/server.key", "-out", "\(folder)/server.csr",
    ])
    try Data("subjectAltName=DNS:localhost\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/names"))
    try Tool.mustRun([
      "/usr/bin/openssl", "x509", "-req", "-in", "\(folder)/server.csr", "-CA", "\(folder)/ca.crt", "-CAkey",
      "\(folder)/ca.key", "-CAcreateserial", "-days", "2", "-extfile", "\(folder)/names", "-out",
      "\(folder)/server.crt",
    ])
    let data = cluster.layout.dataFolder
    let owner = try FileManager.default.attributesOfItem(atPath: data)
    for name in ["server.key", "server.crt"] {
      try FileManager.default.copyItem(atPath: "\(folder)/\(name)", toPath: "\(data)/\(name)")
      try FileManager.default.setAttributes(
        [
          .posixPermissions: 0o600, .ownerAccountID: owner[.ownerAccountID]!,
          .groupOwnerAccountID: owner[.groupOwnerAccountID]!,
        ], ofItemAtPath: "\(data)/\(name)")
    }
    let port = try unusedPort()
    let administrator = Connection(try cluster.url, applicationName: "rrcm tests", logger: .silent)
    for setting in [
      "ssl = on", "listen_addresses = '127.0.0.1'", "port = \(port)", "log_statement = 'all'",
      "max_prepared_transactions = 5",
    ] {
      try await administrator.script("ALTER SYSTEM SET \(setting)")
    }
    await administrator.close()
    try cluster.stopServer(timeout: .seconds(20))
    try Data("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n".utf8).write(
      to: URL(fileURLWithPath: "\(data)/pg_hba.conf"))
    // In the foreground: a server that detaches itself would keep Foundation's Process waiting for its end.
    let command =
      try Tool.asOwner(of: data) + ["\(try PostgresInstallation.find()[0].folder)/postgres", "-D", data]
    let server = Process()
    server.executableURL = URL(fileURLWithPath: command[0])
    server.arguments = Array(command.dropFirst())
    server.currentDirectoryURL = URL(fileURLWithPath: "/")
    try server.start(errors: cluster.layout.logFile)
    return try await body(
      SecureServer(
        authority: "\(folder)/ca.crt", otherAuthority: "\(folder)/other.crt", port: port,
        socketFolder: cluster.layout.socketFolder, dataFolder: data, logFile: cluster.layout.logFile))
  }
}

/// A port of this machine that was free a moment ago.
package func unusedPort() throws -> UInt16 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let isBound = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
    }
  }
  guard isBound else { throw Tool.Failure(description: "no port is free") }
  return UInt16(bigEndian: address.sin_port)
}
