-- name: beat_part
-- A sign of life. No row back means that the part was forgotten: register it anew.
UPDATE rrcm.part
   SET beat_at = now()
 WHERE part_id = $1
RETURNING part_id
