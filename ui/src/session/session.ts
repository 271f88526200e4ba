import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { api } from "../api/calls";
import { meQuery } from "../api/queries";
import type { Verb } from "../api/types";

/** Whether the person may do this; the server decides in the end, the page only does not offer what it would refuse. */
export function useCan(): (verb: Verb) => boolean {
  const { data } = useQuery(meQuery);
  return useCallback((verb) => (data?.verbs as Verb[] | undefined)?.includes(verb) ?? false, [data]);
}

export function useSignOut() {
  const client = useQueryClient();
  return useCallback(async () => {
    const { logout_url } = await api.logout();
    client.clear();
    // A full load drops everything of the last person from memory. The OpenID provider asks whether to end its own
    // session, too, and sends the browser back here.
    location.assign(logout_url ?? "/");
  }, [client]);
}
