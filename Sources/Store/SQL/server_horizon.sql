-- name: server_horizon
-- What keeps dead rows of this database from being cleaned away: the age of the oldest snapshot in transactions, and for
-- how long the oldest transaction of others has been open. Other sessions show to members of pg_read_all_stats only.
SELECT greatest(
         (SELECT max(age(a.backend_xmin))
            FROM pg_stat_activity a
           WHERE a.datname = current_database()
             AND a.pid <> pg_backend_pid()),
         (SELECT max(age(p.transaction)) FROM pg_prepared_xacts p WHERE p.database = current_database()),
         (SELECT max(greatest(age(s.xmin), age(s.catalog_xmin))) FROM pg_replication_slots s)
       ) AS xmin_age,
       (SELECT extract(epoch FROM now() - min(a.xact_start))::double precision
          FROM pg_stat_activity a
         WHERE a.datname = current_database()
           AND a.backend_type = 'client backend'
           AND a.pid <> pg_backend_pid()) AS transaction_seconds
