-- name: lock_posters
-- Before certificates of items $1 are stored: keeps whoever posted their votes from being set aside meanwhile, in the order in which a
-- quarantine locks (worker, then item).
SELECT w.worker_id
  FROM rrcm.worker w
 WHERE w.worker_id IN (SELECT k.worker_id FROM rrcm.chunk_count k WHERE k.item_id = ANY ($1::bigint[]))
 ORDER BY w.worker_id
   FOR KEY SHARE
