-- name: doctor_pins
-- What no session shows and yet keeps dead rows from being cleaned away: transactions prepared more than $1 seconds ago,
-- and replication slots that are far behind.
SELECT 'prepared transaction ' || quote_literal(p.gid) AS holder,
       format('ROLLBACK PREPARED %L', p.gid) AS remedy,
       age(p.transaction)::bigint AS transactions
  FROM pg_prepared_xacts p
 WHERE p.database = current_database()
   AND p.prepared < now() - make_interval(secs => $1)
 UNION ALL
SELECT 'replication slot ' || s.slot_name,
       format('SELECT pg_drop_replication_slot(%L)', s.slot_name),
       greatest(age(s.xmin), age(s.catalog_xmin))::bigint
  FROM pg_replication_slots s
 WHERE greatest(age(s.xmin), age(s.catalog_xmin)) > 100000
 ORDER BY transactions DESC
