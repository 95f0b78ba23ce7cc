-- name: lock_voted_items
-- Locks the items that worker $1 posted votes for, as a statement of its own: what void_votes then sees, nobody changes any more.
SELECT i.item_id
  FROM rrcm.item i
 WHERE i.item_id IN (SELECT k.item_id FROM rrcm.chunk_count k WHERE k.worker_id = $1)
 ORDER BY i.item_id
   FOR NO KEY UPDATE
