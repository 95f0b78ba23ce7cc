-- name: leave_part
-- A part's goodbye. If it leads, another may be elected at once.
WITH vacated AS (
  UPDATE rrcm.leadership
     SET part_id = NULL,
         deadline_at = '-infinity'
   WHERE part_id = $1
)
DELETE FROM rrcm.part
 WHERE part_id = $1
