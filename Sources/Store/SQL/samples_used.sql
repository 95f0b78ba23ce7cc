-- name: samples_used
SELECT coalesce(sum(used), 0)::bigint AS used,
       coalesce(sum(beyond), 0)::bigint AS beyond,
       coalesce(sum(planned), 0)::bigint AS planned
  FROM rrcm.samples_used
 WHERE run_id = $1
