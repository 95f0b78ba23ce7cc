-- name: hold_disputed_item
-- Keeps an item held for good whose dispute nobody can settle, with the reason.
WITH held AS (
  UPDATE rrcm.item
     SET state = 'held',
         error = $2::text
   WHERE item_id = $1
     AND state <> 'cancelled'
  RETURNING item_id, run_id
)
INSERT INTO rrcm.event (kind, run_id, detail)
SELECT 'item_held', held.run_id, format('item %s: %s', held.item_id, $2::text)
  FROM held
