-- name: pass_look
-- Notes that look $2 of an item decided nothing, and lets its units be claimed up to $3. A second aggregator's equal note
-- changes nothing, nor does one of before votes were voided (revision $4).
UPDATE rrcm.item
   SET looks_decided = $2,
       target_units = greatest(target_units, $3),
       state = CASE WHEN next_unit < greatest(target_units, $3) THEN 'open'::rrcm.item_state ELSE state END
 WHERE item_id = $1
   AND looks_decided = $2 - 1
   AND revision = $4
   AND state IN ('open', 'claimed')
RETURNING item_id
