-- name: doctor_connections
-- Sessions against each limit that holds for us: the server's, the database's, the role's.
SELECT 'server' AS scope,
       count(*) AS sessions,
       current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint AS allowed
  FROM pg_stat_activity
 WHERE backend_type = 'client backend'
 UNION ALL
SELECT 'database ' || d.datname,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.backend_type = 'client backend'),
       d.datconnlimit
  FROM pg_database d
 WHERE d.datname = current_database()
   AND d.datconnlimit >= 0
 UNION ALL
SELECT 'role ' || r.rolname,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid AND a.backend_type = 'client backend'),
       r.rolconnlimit
  FROM pg_roles r
 WHERE r.rolname = current_user
   AND r.rolconnlimit >= 0
