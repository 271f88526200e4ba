import { useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { meQuery } from "../api/queries";

/** Opens the portal to who has just signed in; nothing that another person has seen in this tab stays in memory. */
export function useEnter() {
  const client = useQueryClient();
  return useCallback(async () => {
    client.removeQueries({ predicate: (query) => query.queryKey[0] !== "me" });
    await client.fetchQuery({ ...meQuery, staleTime: 0 });
  }, [client]);
}
