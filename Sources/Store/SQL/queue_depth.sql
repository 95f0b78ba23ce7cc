-- name: queue_depth
SELECT run_id,
       name,
       kind::text AS kind,
       ready,
       leased,
       oldest_seconds,
       stranded,
       paused
  FROM rrcm.queue_depth
 ORDER BY priority DESC, run_id
