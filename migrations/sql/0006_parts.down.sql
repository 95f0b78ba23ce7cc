-- Undoes 0006.
DROP VIEW rrcm.part_health;
DROP TABLE rrcm.leadership;
DROP TABLE rrcm.part;
DROP TYPE rrcm.part_kind;
