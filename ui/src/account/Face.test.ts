import { expect, test } from "vitest";
import { FACE_COLORS, initialsOf, inkOn } from "./Face";

test("initials are the first letters of two words at most", () => {
  expect(["Ann Marie Smith", "ann", "a_b", "", "Æsop Émile"].map(initialsOf)).toEqual(["AM", "A", "AB", "?", "ÆÉ"]);
});

test("letters can be read on every colour", () => {
  expect([inkOn("#ffffff"), inkOn("#000000"), inkOn("#ffe066")]).toEqual(["#000", "#fff", "#000"]);
  expect(FACE_COLORS.map(inkOn)).toEqual(FACE_COLORS.map(() => "#fff"));
});
