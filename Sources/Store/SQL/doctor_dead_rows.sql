-- name: doctor_dead_rows
-- Tables of ours with far more dead rows than live ones, the worst first.
SELECT relname::text AS name,
       n_dead_tup AS dead,
       n_live_tup AS live
  FROM pg_stat_user_tables
 WHERE schemaname = 'rrcm'
   AND n_dead_tup > greatest(50000, 3 * n_live_tup)
 ORDER BY n_dead_tup DESC
