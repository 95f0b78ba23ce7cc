-- name: doctor_transactions
-- Sessions whose transaction has been open for more than $1 seconds: they keep dead rows from being cleaned away.
SELECT a.pid,
       coalesce(a.usename::text, '') AS role,
       a.application_name AS application,
       coalesce(a.state, '') AS state,
       extract(epoch FROM now() - a.xact_start)::double precision AS seconds
  FROM pg_stat_activity a
 WHERE a.datname = current_database()
   AND a.pid <> pg_backend_pid()
   AND a.backend_type = 'client backend'
   AND a.xact_start < now() - make_interval(secs => $1)
 ORDER BY a.xact_start
